"""Who may do what, and what it cost. Light: SQL and nothing of HTTP, engines or models."""
