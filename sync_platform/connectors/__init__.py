"""The three systems behind one protocol. A connector knows its own API and nothing of the ledger or of the others."""
