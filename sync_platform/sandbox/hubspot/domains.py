"""A contact's company by its e-mail domain.

An account's setting can associate contacts with companies by e-mail domain, and create such companies by itself
[inferred]: switch `companies_by_domain`. The name of a company made this way is its domain, and the association is the
primary one [inferred].
"""

# ruff: noqa: S608 - statements are put together from this package's own table and column names; values are bound

from sync_platform.sandbox.hubspot.changes import CALCULATED
from sync_platform.sandbox.hubspot.kinds import COMPANIES, CONTACTS, ties
from sync_platform.sandbox.hubspot.records import Records
from sync_platform.sandbox.hubspot.store import LIVE, Row
from sync_platform.sandbox.hubspot.ties import Ties


def follow_domain(records: Records, links: Ties, contact: Row, now_ms: int) -> bool:
    """Associate a contact whose e-mail was written; whether that was done. Runs inside the caller's transaction."""
    policy = records.switch("companies_by_domain")
    domain = contact.props.get("email", "").rpartition("@")[2]
    if policy == "off" or not domain or links.of(CONTACTS, [contact.id], COMPANIES)[contact.id]:
        return False
    found = records.store.db.execute(
        f"SELECT id FROM {COMPANIES.name} WHERE state={LIVE} AND json_extract(props,'$.domain')=? ORDER BY id LIMIT 1",
        (domain,),
    ).fetchone()
    company = None if found is None else records.store.get(COMPANIES, found[0])
    if company is None and policy == "create":
        company = records.create(COMPANIES, {"name": domain, "domain": domain}, CALCULATED, now_ms, ui=True)
    if company is None:
        return False
    primary = [tie for tie in ties(CONTACTS, COMPANIES) if tie.label == "Primary"]
    links.add(contact, company, primary, now_ms)
    return True
