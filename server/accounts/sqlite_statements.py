"""What the ledger says to SQLite. `postgres_statements.py` says the same to PostgreSQL."""

TAKE = """
UPDATE balances SET
  requests_until = max(iif(requests_until <= ?12, requests_until, 0), ?2) + ?3,
  tokens_until = max(iif(tokens_until <= ?12, tokens_until, 0), ?2) + ?4,
  running = running + 1,
  day_spent = iif(day = ?5, day_spent, 0),
  day_reserved = iif(day = ?5, day_reserved, 0) + ?6,
  day = ?5,
  month_spent = iif(month = ?7, month_spent, 0),
  month_reserved = iif(month = ?7, month_reserved, 0) + ?8,
  month = ?7
WHERE account = ?1 AND day <= ?5
  AND (?3 = 0 OR max(iif(requests_until <= ?12, requests_until, 0), ?2) + ?3 <= ?2 + 60000000000)
  AND (?4 = 0 OR max(iif(tokens_until <= ?12, tokens_until, 0), ?2) + ?4 <= ?2 + 60000000000)
  AND running < ?9
  AND iif(day = ?5, day_spent + day_reserved, 0) + ?6 <= ?10
  AND iif(month = ?7, month_spent + month_reserved, 0) + ?8 <= ?11
RETURNING requests_until, tokens_until
"""
"""1 account, 2 now, 3 and 4 shares of a minute, 5 day, 6 tokens, 7 month, 8 money, 9 concurrent, 10 and 11 the budgets, 12 the last time
that is believed."""

UNTAKE = """
UPDATE balances SET requests_until = requests_until - ?2, tokens_until = tokens_until - ?3, running = running - 1,
  day_reserved = day_reserved - ?4, month_reserved = month_reserved - ?5
WHERE account = ?1
"""
"""Within the transaction that took it, so that day and month are the same."""

SPEND = """
UPDATE balances SET
  running = running - 1,
  tokens_until = tokens_until - iif(account = ?1, ?3, ?4),
  day_spent = day_spent + iif(day = ?5, ?6, 0),
  day_reserved = day_reserved - iif(day = ?5, ?7, 0),
  month_spent = month_spent + iif(month = ?8, ?9, 0),
  month_reserved = month_reserved - iif(month = ?8, ?10, 0)
WHERE account IN (?1, ?2)
"""
"""1 and 2 the accounts, 3 and 4 what their tokens per minute get back, then day, tokens spent and reserved, month, money likewise."""

BALANCE = """
SELECT requests_until, tokens_until, running, day, day_spent, day_reserved, month, month_spent, month_reserved
FROM balances WHERE account = ?
"""

FIRST = "INSERT INTO balances (account) VALUES (?)"

INSERT = """
INSERT INTO requests (id, key_id, community, adapter, gateway, day, started_ms, degraded, tokens_reserved, money_reserved, prompt_tokens)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""

SETTLE = """
UPDATE requests SET outcome = ?, ended_ms = ?, prompt_tokens = ?, cached_tokens = ?, completion_tokens = ?, ttft_ms = ?, queue_ms = ?,
  wake_ms = ?, life = ?, engine_from_ms = ?, engine_until_ms = ?, engine_ms = ?, token_cost = ?, engine_cost = ?
WHERE id = ? AND outcome IS NULL
"""

NOTE = "UPDATE requests SET noted_tokens = ? WHERE id = ? AND outcome IS NULL"

BEGIN_GATEWAY = "INSERT INTO gateways (id, name, began_ms, beat_ms) VALUES (?, ?, ?, ?)"

BEAT = "UPDATE gateways SET beat_ms = ? WHERE id = ?"

OPEN_GATEWAYS = "SELECT DISTINCT gateway FROM requests WHERE outcome IS NULL"

OPEN_ROWS = """
SELECT id, key_id, community, adapter, day, degraded, tokens_reserved, money_reserved, prompt_tokens, noted_tokens
FROM requests WHERE gateway = ? AND outcome IS NULL LIMIT ?
"""
