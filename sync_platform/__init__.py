"""Keeps customers and tickets equal in Gorgias, HubSpot and an ERP, in every direction."""

__version__ = "0.1.0"
