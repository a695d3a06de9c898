"""What the survivor of a merge holds, and how many merges a record may have behind it.

Facts: `hs_merged_object_ids` is a list with `;`, contacts also have `hs_calculated_merged_vids` with times and
`hs_all_contact_vids` [doc, code]; at most 250 merges per record, and a 414 beyond 250 identities [doc].
"""

from sync_platform.sandbox.hubspot.kinds import CONTACTS
from sync_platform.sandbox.hubspot.store import Row, Store
from sync_platform.sandbox.hubspot.wire import refuse

MERGES_MAX, IDENTITIES_MAX = 250, 250


def merges(store: Store, row: Row) -> int:
    """How many merges a record has behind it: each left one or two ids, all at one time."""
    ids = [int(part) for part in row.props.get("hs_merged_object_ids", "").split(";") if part]
    return len({(one.successor, one.ended) for one in store.get_many(row.kind, ids).values() if one.successor})


def merged_props(primary: Row, loser: Row, now_ms: int) -> dict[str, str]:
    """The survivor's values: the primary's, the other's where that one is blank; e-mails of the other become secondary.

    Raises Refusal(414) past 250 identities of a contact [doc].
    """
    props = {**loser.props, **{name: value for name, value in primary.props.items() if value}}
    ids = [
        part
        for row in (primary, loser)
        for part in (*row.props.get("hs_merged_object_ids", "").split(";"), str(row.id))
        if part
    ]
    props["hs_merged_object_ids"] = ";".join(dict.fromkeys(ids))
    if primary.kind is CONTACTS:
        vids = [row.props.get("hs_calculated_merged_vids", "") for row in (primary, loser)]
        vids += [f"{primary.id}:{now_ms}", f"{loser.id}:{now_ms}"]
        props["hs_calculated_merged_vids"] = ";".join(filter(None, vids))
        props["hs_all_contact_vids"] = props["hs_merged_object_ids"]
        emails = [props.get("email", "")]
        for row in (primary, loser):
            emails += [row.props.get("email", ""), *row.props.get("hs_additional_emails", "").split(";")]
        identities = list(dict.fromkeys(filter(None, emails)))
        if len(identities) > IDENTITIES_MAX:
            refuse(414, f"A contact can't have more than {IDENTITIES_MAX} identities.")
        props["hs_additional_emails"] = ";".join(identities[1:])
    return props
