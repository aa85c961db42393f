"""Tables, transactions and schema migrations."""
