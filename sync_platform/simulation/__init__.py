"""Seeded schedules over the real engine: people, three systems, faults, and invariants checked afterwards."""
