"""A twin of Gorgias, HubSpot and an ERP on loopback, to try the platform without any account.

It imports nothing of the rest of the platform: what the connectors meet here was written from the vendors' published
behaviour alone, so a mistake in a connector can't be mirrored by the same mistake here.
"""
