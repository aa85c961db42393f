"""The policy checks: a change and what it refers to in, findings out; pure.

Each rule is one small function in the module of its subject, registered under the id that
`docs/` and the lead authority know it by. `evaluate` is the one entrance.
"""
