"""The language of a new ticket, by the commonest words of its first messages.

Gorgias detects it from the first messages and then leaves it as it is [doc]; how is not told. Here the language whose
small words occur most often wins, and a text without any has none.
"""

import re
from collections.abc import Iterable

from sync_platform.sandbox.gorgias.fields import words

LOOKED_AT = 3  # messages
_WORD = re.compile(r"[^\W\d_]+")
_WORDS = {
    "en": words("the and is was i my you it to of for where when have has not please what hello thanks"),
    "fr": words("le la les et est je mon ma vous il une des pour pas où avec que bonjour merci commande"),
    "de": words("der die das und ist ich mein meine sie es ein eine nicht für mit wo wann hallo danke bitte"),
    "es": words("el los las y es mi usted un una para con por dónde cuándo no hola gracias pedido está qué"),
}


def of(texts: Iterable[str | None]) -> str | None:
    """An ISO 639-1 code, or None when nothing tells."""
    said = [text for text, _ in zip(texts, range(LOOKED_AT), strict=False) if text]
    heard = [word for text in said for word in _WORD.findall(text[:2_000].lower())]
    scores = {code: sum(word in known for word in heard) for code, known in _WORDS.items()}
    best = max(scores, key=lambda code: scores[code])
    return best if scores[best] else None
