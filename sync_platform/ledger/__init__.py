"""The memory of the platform: one transactional SQL database, SQLite or PostgreSQL."""
