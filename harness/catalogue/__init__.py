"""The catalogue: scenario files (YAML data) checked against their schema and expanded to plans."""
