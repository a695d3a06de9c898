"""Seeded schedules over the real engine: people, three systems, faults and crashes, and invariants checked afterwards."""
