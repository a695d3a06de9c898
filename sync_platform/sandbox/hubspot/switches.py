"""HubSpot's switches: plans, lags, and every point on which its behaviour is not established.

The default of each is the likelier behaviour or, where nothing is known, the one that is harder for a client.
"""

from sync_platform.sandbox.hubspot import feeds as hubspot_feeds
from sync_platform.sandbox.world import Switches

_ALL: tuple[tuple[str, object, tuple[object, ...] | type, str], ...] = (
    (
        "plan",
        "pro",
        ("free", "starter", "pro", "enterprise"),
        "limits of the account: 100, 100, 190 or 190 calls in 10 s [doc]",
    ),
    ("calls_per_day", 0, int, "daily limit before the rate scale; 0 = the plan's (250,000, 625,000, 1,000,000) [doc]"),
    (
        "limit_packs",
        0,
        (0, 1, 2),
        "API limit packs of the account: each adds 1,000,000 calls a day; with one, associations have 1,000,000 [doc]",
    ),
    ("limit_pack_burst", 250, (250, 200), "calls in 10 s with a limit pack: two pages of the documentation differ"),
    ("pro_calls_per_day", 625_000, (625_000, 650_000), "daily limit of the plan pro: two sources differ [doc]"),
    ("limit_headers_on_429", "on", ("on", "off"), "whether a 429 carries the limit headers: not established"),
    ("oauth_consent", "grant", ("grant", "deny"), "what the person answers at /oauth/authorize"),
    ("oauth_code_s", 600, int, "how long an authorization code lives, in seconds: not established"),
    ("oauth_hub", "installed", ("installed", "uninstalled"), "uninstalled: a refresh answers BAD_HUB, access_denied"),
    (
        "expired_token_category",
        "EXPIRED_AUTHENTICATION",
        ("EXPIRED_AUTHENTICATION", "INVALID_AUTHENTICATION"),
        "category of the 401 for an expired access token [inferred]",
    ),
    (
        "missing_scopes_body",
        "errors",
        ("errors", "top_level"),
        "where a 403 names the scopes: in errors[0].context, or in context; both are recorded",
    ),
    (
        "ticket_scope",
        "either",
        ("either", "legacy", "granular"),
        "scopes that tickets need: `tickets`, crm.objects.tickets.*, or one of them; sources differ",
    ),
    ("batch_status_2026_09", "multi", ("multi", "plain"), "a batch failed in part, 2026-09: 207, or the plain status"),
    (
        "pipeline_delete_in_use",
        "refuse",
        ("refuse", "delete"),
        "deleting a pipeline or stage in use before 2026-09, which refuses it [doc]: not established",
    ),
    (
        "property_in_use",
        "unique_values",
        ("unique_values", "values", "rules"),
        "what makes archiving a property fail as in use: values of a unique one, any values, only admin rules",
    ),
    (
        "validation_rules_on_change",
        "touched",
        ("touched", "whole_record"),
        "whether a change obeys the admin's rules for what it touches or for the whole record: not established",
    ),
    (
        "validation_errors_listed",
        "some",
        ("some", "all"),
        "whether `errors` of a 400 names three problems at most, as recorded once, or all that the message lists",
    ),
    ("blocked_email", "refuse", ("refuse", "accept"), "a write of a block-listed address: not established"),
    (
        "gdpr_blocks",
        "unknown",
        ("unknown", "always"),
        "whether a privacy deletion block-lists only an unknown address [doc], or the addresses of a record too",
    ),
    ("restore_associations", "keep", ("keep", "drop"), "whether a restored record has its associations again"),
    ("labels_max", 50, int, "labels of the account between two kinds, by plan"),
    ("missing_scopes", "", str, "comma list of scopes that the token lacks: calls that need one answer 403"),
    ("malformed_token", 401, (401, 530), "answer to a token with white space in it; a 530 page was reported [code]"),
    (
        "limit_body",
        "mixed",
        ("mixed", "documented", "recorded"),
        "shape of a 429: documented (errorType, policyName), recorded (category alone), mixed (recorded for search)",
    ),
    ("retry_after_s", 0, int, "Retry-After of a 429 in seconds; 0 = none, as in the recorded answer"),
    ("search_lag_s", 2.0, float, "the longest time until search knows a write; each write draws 25 to 100 % of it"),
    ("search_iso_dates", "accept", ("accept", "refuse"), "ISO dates in search filters: not established officially"),
    ("search_epoch_zero", 500, (200, 500), "answer to a date filter at epoch 0; a 500 was reported [code]"),
    (
        "search_cap_body",
        "category",
        ("category", "bare"),
        "the 400 past 10,000 search results: with VALIDATION_ERROR, or status and message alone; not established",
    ),
    ("search_total_capped", "off", ("off", "on"), "whether `total` stops at 10,000; not established, believed not"),
    ("search_neq_matches_unset", "off", ("off", "on"), "whether NEQ and NOT_IN match rows without a value"),
    (
        "phone_numbers",
        "as_typed",
        ("as_typed", "formatted"),
        "an account's setting: phone numbers stay as typed, or international ones lose all but their digits [inferred]",
    ),
    ("owners_limit_max", 500, int, "most owners on a page: 500 is not verified"),
    (
        "companies_by_domain",
        "off",
        ("off", "associate", "create"),
        "an account's setting: a contact's e-mail domain associates it with a company, or makes one too [inferred]",
    ),
    ("search_merged_away", "missing", ("missing", "survivor"), "search by the id of a merged-away record"),
    (
        "batch_merged_away",
        "survivor",
        ("survivor", "missing"),
        "batch read or upsert by a merged-away id: not established",
    ),
    (
        "property_delay_s",
        0.4,
        float,
        "time until a new property exists for other calls; 0.25 to 0.7 s were seen [code]",
    ),
    ("unique_clash_status", 400, (400, 409), "a value of a unique property that another record has: not established"),
    ("unique_on_notes", "on", ("on", "off"), "whether notes can have a unique property: not established"),
    ("null_write", "ignore", ("ignore", "clear", "refuse"), "null as a value in a write: not established"),
    (
        "same_value_write",
        "bump",
        ("bump", "history", "nothing"),
        "writing the value that is there: bumps the modified date, also adds to the history, or nothing",
    ),
    ("history_depth", 45, int, "versions kept of one property: not established"),
    ("delete_unknown", 204, (204, 404), "DELETE of an id that isn't there: not established"),
    (
        "merge_id",
        "new",
        ("new", "primary"),
        "id of the survivor of a merge: a new one (current) or the primary's (beta)",
    ),
    ("id_property_secondary_email", "off", ("off", "on"), "whether idProperty=email finds a secondary address"),
    ("partial_upsert_by_email", "accept", ("accept", "refuse"), "upsert by e-mail without all properties"),
    ("contact_without_identity", "accept", ("accept", "refuse"), "a contact without e-mail, first and last name"),
    ("write_additional_emails", "refuse", ("refuse", "accept"), "hs_additional_emails in a v3 write"),
    (
        "association_bumps",
        "ticket",
        ("ticket", "both", "off"),
        "whether associating bumps the modified date of the ticket, of both sides or of none [inferred]",
    ),
    (
        "association_ids",
        "number",
        ("number", "string"),
        "ids in v4 association answers: numbers as recorded, or strings as newer models have them",
    ),
    ("source_id", "app", ("app", "other"), "sourceId in the history of own writes; for service keys not established"),
)


def register(switches: Switches) -> None:
    """Declare every switch as hubspot.<name>."""
    for name, default, choices, doc in _ALL:
        switches.register(f"hubspot.{name}", default, choices, doc)
    hubspot_feeds.register(switches)
