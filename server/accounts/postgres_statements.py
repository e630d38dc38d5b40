"""What the ledger says to PostgreSQL. `sqlite_statements.py` says the same to SQLite."""

BEGIN = "BEGIN; SELECT pg_advisory_xact_lock({lock})"
"""One round trip. Gateways' transactions take turns, so that two that touch the same accounts in another order cannot wait for each other;
each carries whatever came in at its gateway meanwhile, so that waiting makes them larger and not more."""

RESERVE = """
WITH caps (account, request_ns, token_ns, concurrent, per_day, per_month) AS (
  VALUES ($13::text, $14::bigint, $15::bigint, $16::bigint, $17::bigint, $18::bigint),
         ($19::text, $20::bigint, $21::bigint, $22::bigint, $23::bigint, $24::bigint)
), fits AS (
  SELECT b.account FROM balances b JOIN caps c ON c.account = b.account
  WHERE b.day <= $6::text
    AND (c.request_ns = 0
      OR greatest(CASE WHEN b.requests_until <= $25::bigint THEN b.requests_until END, $12::bigint) + c.request_ns <= $12 + 60000000000)
    AND (c.token_ns = 0
      OR greatest(CASE WHEN b.tokens_until <= $25::bigint THEN b.tokens_until END, $12) + c.token_ns <= $12 + 60000000000)
    AND b.running < c.concurrent
    AND CASE WHEN b.day = $6 THEN b.day_spent + b.day_reserved ELSE 0 END + $9::bigint <= c.per_day
    AND CASE WHEN b.month = left($6, 7) THEN b.month_spent + b.month_reserved ELSE 0 END + $10::bigint <= c.per_month
  FOR UPDATE OF b
), taken AS (
  UPDATE balances b SET
    requests_until = greatest(CASE WHEN b.requests_until <= $25::bigint THEN b.requests_until END, $12) + c.request_ns,
    tokens_until = greatest(CASE WHEN b.tokens_until <= $25::bigint THEN b.tokens_until END, $12) + c.token_ns,
    running = b.running + 1,
    day_spent = CASE WHEN b.day = $6 THEN b.day_spent ELSE 0 END,
    day_reserved = CASE WHEN b.day = $6 THEN b.day_reserved ELSE 0 END + $9,
    day = $6,
    month_spent = CASE WHEN b.month = left($6, 7) THEN b.month_spent ELSE 0 END,
    month_reserved = CASE WHEN b.month = left($6, 7) THEN b.month_reserved ELSE 0 END + $10,
    month = left($6, 7)
  FROM caps c
  WHERE b.account = c.account AND (SELECT count(*) FROM fits) = 2 AND NOT EXISTS (SELECT FROM requests WHERE id = $1::text)
  RETURNING b.account, b.requests_until, b.tokens_until
), made AS (
  INSERT INTO requests
    (id, key_id, community, adapter, gateway, day, started_ms, degraded, tokens_reserved, money_reserved, prompt_tokens)
  SELECT $1, $2::text, $3::text, $4::text, $5::text, $6, $7::bigint, $8::boolean, $9, $10, $11::bigint
  WHERE (SELECT count(*) FROM taken) = 2
)
SELECT $1 AS id, account, requests_until, tokens_until FROM taken
"""
"""The one conditional statement: both accounts and the row, or nothing.

1 to 11 the row (6 day, 9 tokens, 10 money), 12 now, then account, shares of a minute, concurrent and budgets of community and key; 25 the
last time that is believed (`greatest` reads over a NULL).
"""

SETTLE = """
WITH done AS (
  UPDATE requests SET outcome = $2, ended_ms = $3, prompt_tokens = $4, cached_tokens = $5, completion_tokens = $6, ttft_ms = $7,
    queue_ms = $8, wake_ms = $9, life = $10, engine_from_ms = $11, engine_until_ms = $12, engine_ms = $13, token_cost = $14,
    engine_cost = $15
  WHERE id = $1 AND outcome IS NULL
  RETURNING 'c:' || community AS community, 'k:' || key_id AS key, day, tokens_reserved, money_reserved
)
UPDATE balances b SET
  running = b.running - 1,
  tokens_until = b.tokens_until - CASE WHEN b.account = done.community THEN $16::bigint ELSE $17::bigint END,
  day_spent = b.day_spent + CASE WHEN b.day = done.day THEN $18::bigint ELSE 0 END,
  day_reserved = b.day_reserved - CASE WHEN b.day = done.day THEN done.tokens_reserved ELSE 0 END,
  month_spent = b.month_spent + CASE WHEN b.month = left(done.day, 7) THEN $19::bigint ELSE 0 END,
  month_reserved = b.month_reserved - CASE WHEN b.month = left(done.day, 7) THEN done.money_reserved ELSE 0 END
FROM done
WHERE b.account IN (done.community, done.key)
"""

FIRST = "INSERT INTO balances (account) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"

BALANCES = """
SELECT account, requests_until, tokens_until, running, day, day_spent, day_reserved, month, month_spent, month_reserved
FROM balances WHERE account = ANY($1::text[])
"""

KNOWN = "SELECT id FROM requests WHERE id = ANY($1::text[])"

NOTE = "UPDATE requests SET noted_tokens = $1 WHERE id = $2 AND outcome IS NULL"

NOW_MS = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

BEGIN_GATEWAY = f"""
INSERT INTO gateways (id, name, began_ms, beat_ms) VALUES ($1, $2, {NOW_MS}, {NOW_MS})
ON CONFLICT (id) DO UPDATE SET beat_ms = excluded.beat_ms
"""  # noqa: S608  # no value is put in

BEAT = f"UPDATE gateways SET beat_ms = {NOW_MS} WHERE id = $1"  # noqa: S608  # no value is put in

HOLD = "SELECT pg_try_advisory_lock(hashtextextended('troupe gateway ' || $1::text, 0))"
"""For as long as the connection lives."""

OPEN_ROWS = f"""
SELECT id, key_id, community, adapter, day, degraded, tokens_reserved, money_reserved, prompt_tokens, noted_tokens
FROM requests
WHERE outcome IS NULL AND gateway IN (
  SELECT g.id FROM gateways g
  WHERE g.id <> $1 AND (g.name = $2 OR g.beat_ms < {NOW_MS} - $3::bigint)
    AND EXISTS (SELECT FROM requests r WHERE r.gateway = g.id AND r.outcome IS NULL)
    AND pg_try_advisory_xact_lock(hashtextextended('troupe gateway ' || g.id, 0))
)
LIMIT $4
"""  # noqa: S608  # no value is put in
