"""The twin of HubSpot. `system` is its side of the sandbox, `http` its door, `switches` what nobody knows for sure."""
