"""The twin of Gorgias. `system` is its side of the sandbox, `app` its door, `switches` what nobody knows for sure."""
