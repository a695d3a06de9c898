"""Words of the seeded world: invented names, companies, subjects and texts in several scripts."""

# (as written, in Latin letters for the e-mail address)
NAMES: dict[str, tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]] = {
    "en": (
        tuple(
            (x, x)
            for x in (
                "Ada",
                "Ben",
                "Cora",
                "Dylan",
                "Ella",
                "Finn",
                "Grace",
                "Hugo",
                "Iris",
                "Jack",
                "Kira",
                "Liam",
                "Mona",
                "Noah",
                "Olive",
                "Paul",
            )
        ),
        tuple(
            (x, x.replace("'", ""))
            for x in (
                "Archer",
                "Brook",
                "Carver",
                "Dale",
                "Ellwood",
                "Fenn",
                "Garrow",
                "O'Hara",
                "Hale",
                "Ives",
                "Kerr",
                "Lowe",
                "Marsh",
                "Nye",
            )
        ),
    ),
    "es": (
        (("José", "Jose"), ("Lucía", "Lucia"), ("Mateo", "Mateo"), ("Inés", "Ines"), ("Begoña", "Begona")),
        (("Núñez Ríos", "Nunez"), ("de la Vega", "delaVega"), ("Ibáñez", "Ibanez"), ("Salas", "Salas")),
    ),
    "fr": (
        (("Zoé", "Zoe"), ("François", "Francois"), ("Élodie", "Elodie"), ("Jean-Luc", "Jean-Luc"), ("Anaïs", "Anais")),
        (("Lefèvre", "Lefevre"), ("d'Aubigné", "dAubigne"), ("Noël", "Noel"), ("Martin", "Martin")),
    ),
    "de": (
        (("Jürgen", "Juergen"), ("Käthe", "Kaethe"), ("Lena", "Lena"), ("Sören", "Soeren"), ("Änne", "Aenne")),
        (("Groß", "Gross"), ("Müller-Lüdenscheidt", "Mueller"), ("von Ahlen", "vonAhlen"), ("Kühn", "Kuehn")),
    ),
    "he": (
        (("נועה", "Noa"), ("איתי", "Itai"), ("תמר", "Tamar"), ("יובל", "Yuval")),
        (("לוי", "Levi"), ("בן־דוד", "BenDavid"), ("אלמוג", "Almog"), ("שקד", "Shaked")),
    ),
    "ar": (
        (("ليلى", "Layla"), ("يوسف", "Yusuf"), ("مريم", "Maryam"), ("كريم", "Karim")),
        (("الخطيب", "Alkhatib"), ("حدّاد", "Haddad"), ("منصور", "Mansour")),
    ),
    "ja": (
        (("さくら", "Sakura"), ("健太", "Kenta"), ("美咲", "Misaki"), ("ハルト", "Haruto")),
        (("山本", "Yamamoto"), ("小林", "Kobayashi"), ("渡邉", "Watanabe"), ("髙橋", "Takahashi")),
    ),
    "zh": (
        (("小明", "Xiaoming"), ("雅婷", "Yating"), ("志强", "Zhiqiang")),
        (("王", "Wang"), ("陳", "Chen"), ("欧阳", "Ouyang")),
    ),
    "pl": (
        (("Łukasz", "Lukasz"), ("Małgorzata", "Malgorzata"), ("Żaneta", "Zaneta")),
        (("Wójcik", "Wojcik"), ("Kowalczyk", "Kowalczyk"), ("Śliwa", "Sliwa")),
    ),
}
LANGUAGE_WEIGHTS = {"en": 48, "es": 10, "fr": 9, "de": 9, "he": 7, "ar": 5, "ja": 5, "zh": 4, "pl": 3}
EMOJI = ("✨", "🌸", "👩‍💻", "🏳️‍🌈", "🇯🇵", "🎉")

COMPANIES = (
    ("Alder & Finch", "Alder and Finch", "ALDER & FINCH LLC"),
    ("Blue Kettle", "Blue Kettle Inc.", "Blue  Kettle"),
    ("Crumb <Bakery>", "Crumb Bakery", "crumb bakery"),
    ("Dünenwind GmbH", "Duenenwind", "Dünenwind"),
    ("Eastgate Cycles", "Eastgate Cycles Ltd", "Eastgate"),
    ("Fjord Outfitters", "Fjord Outfitters", "Fjord"),
    ("株式会社みどり", "Midori K.K.", "株式会社 みどり"),
    ("שדות ירוקים", "Sadot Yerukim", "שדות ירוקים בע״מ"),
)
NOTES = (
    "Prefers to be called in the afternoon.",
    "Wholesale customer; invoice by the 5th.\nShips to two addresses.",
    "Likes the blue one. 💙",
    "Allergic to wool & down",
    "לדבר בעברית בבקשה",
    "Asked twice about the warranty <see order>",
)
SUBJECTS: dict[str, tuple[str, ...]] = {
    "en": (
        "Where is my order?",
        "Wrong size delivered",
        "Re: Re: refund & exchange",
        "Broken zipper 😢",
        "Change of address",
    ),
    "es": ("¿Dónde está mi pedido?", "Devolución del artículo"),
    "fr": ("Où est ma commande ?", "Échange d'un article"),
    "de": ("Größe passt nicht", "Rückgabe möglich?"),
    "he": ("איפה ההזמנה שלי?", "החלפת מידה"),
    "ar": ("أين طلبي؟", "استبدال المقاس"),
    "ja": ("注文はどこですか", "サイズ交換のお願い"),
    "zh": ("我的订单在哪里?", "想换尺寸"),
    "pl": ("Gdzie jest moje zamówienie?", "Zwrot towaru"),
}
QUESTIONS: dict[str, str] = {
    "en": "Hello, I ordered two weeks ago & it hasn't arrived. Can you look it up?",
    "es": "Hola, mi pedido no ha llegado todavía. ¿Pueden ayudarme?",
    "fr": "Bonjour, l'article reçu n'est pas le bon. Merci de m'aider.",
    "de": "Guten Tag, die Größe passt leider nicht. Kann ich tauschen?",
    "he": "שלום, ההזמנה עדיין לא הגיעה. אפשר לבדוק?",
    "ar": "مرحباً، لم يصل طلبي بعد. هل يمكنكم المساعدة؟",
    "ja": "こんにちは。商品がまだ届きません。確認をお願いします。",
    "zh": "你好,我的包裹还没有到。请帮我查一下。",
    "pl": "Dzień dobry, paczka jeszcze nie dotarła. Proszę o sprawdzenie.",
}
REPLIES = (
    "Thanks for writing. I have looked it up: it left the warehouse yesterday.",
    "Sorry about that! A label for the return is on its way to you.",
    "Could you send us a photo, please?",
)
FOLLOW_UPS = ("Great, thank you! 🙏", "Still nothing here...", "Here is the photo: <IMG_0042.jpg>", "OK")
INTERNAL = ("Warehouse says the parcel is on shelf B-12.", "Asked shipping, waiting for their answer.")
TAGS = ("refund", "vip", "shipping", "Exchange", "size", "damaged", "wholesale", "follow-up", "חדש", "été")
AGENT_NAMES = ("Rosa Quill", "Tom Iverness", "Mei Aldous", "Sven Ørby", "Dalia Oren", "Kofi Brandt")

# Channel names of the vendor's message schema [doc].
CHANNELS = (
    "email",
    "chat",
    "phone",
    "contact_form",
    "facebook-messenger",
    "instagram-direct-message",
    "whatsapp",
    "sms",
    "aircall",
    "api",
    "facebook",
    "facebook-mention",
    "facebook-recommendations",
    "help-center",
    "instagram-ad-comment",
    "instagram-comment",
    "instagram-mention",
    "internal-note",
    "twitter",
    "twitter-direct-message",
    "yotpo-review",
)
PLAIN_CHANNELS = ("email", "phone", "chat", "contact_form")

# Numbers 555-0100..0199 of each area and the British ranges below are set aside for fiction.
# fmt: off
US_AREAS = (
    201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228,
    229, 231, 234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302,
    303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330,
    331, 334, 336, 337, 339, 347, 351, 352, 360, 361, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410,
    412, 413, 414, 415, 417, 419, 423, 424, 425, 430, 432, 434, 435, 440, 443, 469, 478, 479, 480, 484,
    501, 502, 503, 504, 505, 507, 508, 509, 510, 512, 513, 515, 516, 517, 518, 520, 530, 540, 541, 551,
    559, 561, 562, 563, 567, 570, 571, 573, 574, 575, 580, 585, 586, 601, 602, 603, 605, 606, 607, 608,
    609, 610, 612, 614, 615, 616, 617, 618, 619, 620, 623, 626, 630, 631, 636, 641, 646, 650, 651, 660,
    661, 662, 678, 682, 701, 702, 703, 704, 706, 707, 708, 712, 713, 714, 715, 716, 717, 718, 719, 720,
    724, 727, 731, 732, 734, 740, 757, 760, 763, 765, 770, 772, 773, 774, 775, 781, 785, 786, 801, 802,
    803, 804, 805, 806, 808, 810, 812, 813, 814, 815, 816, 817, 818, 828, 830, 831, 832, 843, 845, 847,
    848,
)
# fmt: on
GB_RANGES = (
    "20 7946 0",
    "113 496 0",
    "114 496 0",
    "115 496 0",
    "116 496 0",
    "117 496 0",
    "118 496 0",
    "121 496 0",
    "131 496 0",
    "141 496 0",
    "151 496 0",
    "161 496 0",
    "191 498 0",
)
JP_AREAS = ("3", "6", "45", "52")
IL_AREAS = ("2", "3", "4", "8")
