"""The algebra of the ledger: pure, and the whole of what it decides.

`places` says where amounts are charged, `holds` what a key charges and how entries change that,
`limits` what holds at an instant, `admission` whether a growth is admitted, `promises` whether a
limit may be set, `sentences` how a refusal reads. `quotas.store` only reads, calls these and
writes.
"""
