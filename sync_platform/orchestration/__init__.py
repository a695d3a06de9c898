"""The platform as Dagster sees it: assets, checks, resources, triggers. Thin: the work is done in `sync`."""
