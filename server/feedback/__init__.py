"""What people thought of answers, and what follows from it. Light: SQL and arithmetic, nothing of HTTP, engines or models.

An answer that was shown is an `Answer`; `store.py` keeps what is known of it, `consent.py` who said no, `trials.py` which canaries are
decided by it. `score.py` says how good versions are, `evidence.py` and `canary.py` when that is enough to decide; all three are pure.
"""
