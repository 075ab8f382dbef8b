"""The recording: an append-only journal, sealed to hashed Parquet tables, readable again without a lane."""
