"""Lanes: profiles, and the processes behind them (architecture, section 7). Nothing here judges.

A deployment tells its listener (event: detail), with subjects `authority/<name>`, `lane/<side>` and `relay/<side>`:

* `service_ready`: url, pid, boot_id, version, banner, profile, declared, digest; of a lane or an authority also
  dialect, database, retention_events, replay_budget_events, max_payload_bytes, close_codes
* `published`: database, bytes
* `service_died`: exit_code, log_tail
* `service_stopped`: exit_code; also where a plan killed or stopped it (`service_ready` follows when it is back)
"""
