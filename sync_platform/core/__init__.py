"""Pure rules: values in, values out; no clock, network, SQL or log."""
