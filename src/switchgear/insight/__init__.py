"""The read side: what the ledger and the live state say, as metrics, health and reports."""
