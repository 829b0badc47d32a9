"""English words."""

from __future__ import annotations

PLURALS = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "mouse": "mice",
    "knife": "knives",
    "dress": "dresses",
    "bus": "buses",
    "box": "boxes",
    "tomato": "tomatoes",
    "city": "cities",
    "library": "libraries",
    "factory": "factories",
}

PRONOUNS = {  # subject, object
    "I": ("I", "me"),
    "you": ("you", "you"),
    "he": ("he", "him"),
    "she": ("she", "her"),
    "we": ("we", "us"),
    "they": ("they", "them"),
}

BE = {"I": ("am", "was"), "sg": ("is", "was"), "pl": ("are", "were")}

VERBS = {  # base, third person singular, past, -ing; then the preposition of the object
    "sleep": "sleep sleeps slept sleeping",
    "work": "work works worked working",
    "laugh": "laugh laughs laughed laughing",
    "sing": "sing sings sang singing",
    "dance": "dance dances danced dancing",
    "swim": "swim swims swam swimming",
    "play": "play plays played playing",
    "run": "run runs ran running",
    "cry": "cry cries cried crying",
    "go": "go goes went going",
    "return": "return returns returned returning",
    "read": "read reads read reading",
    "write": "write writes wrote writing",
    "buy": "buy buys bought buying",
    "sell": "sell sells sold selling",
    "see": "see sees saw seeing",
    "look_for": "look looks looked looking for",
    "find": "find finds found finding",
    "wash": "wash washes washed washing",
    "open": "open opens opened opening",
    "close": "close closes closed closing",
    "clean": "clean cleans cleaned cleaning",
    "eat": "eat eats ate eating",
    "drink": "drink drinks drank drinking",
    "cook": "cook cooks cooked cooking",
    "draw": "draw draws drew drawing",
    "repair": "repair repairs repaired repairing",
    "love": "love loves loved loving",
    "know": "know knows knew knowing",
    "visit": "visit visits visited visiting",
    "help": "help helps helped helping",
    "call": "call calls called calling",
    "wait_for": "wait waits waited waiting for",
    "take": "take takes took taking",
    "carry": "carry carries carried carrying",
    "forget": "forget forgets forgot forgetting",
    "lose": "lose loses lost losing",
    "hear": "hear hears heard hearing",
    "break": "break breaks broke breaking",
    "steal": "steal steals stole stealing",
    "give": "give gives gave giving",
    "show": "show shows showed showing",
    "bring": "bring brings brought bringing",
    "send": "send sends sent sending",
    "know_that": "know knows knew knowing",
    "say": "say says said saying",
    "think": "think thinks thought thinking",
    "want": "want wants wanted wanting",
}

COMPARATIVES = {
    "big": "bigger",
    "small": "smaller",
    "new": "newer",
    "old": "older",
    "young": "younger",
    "beautiful": "more beautiful",
    "expensive": "more expensive",
    "cheap": "cheaper",
    "heavy": "heavier",
    "light": "lighter",
    "strong": "stronger",
    "clever": "cleverer",
    "rich": "richer",
    "poor": "poorer",
    "famous": "more famous",
    "quiet": "quieter",
}

PREPOSITIONS = {  # of places where one is "at" rather than "in", or "on"
    "station": "at",
    "market": "at",
    "school": "at",
    "theatre": "at",
    "factory": "at",
    "street": "on",
}
RELATIONS = {
    "on": "on/1",
    "under": "under/1",
    "behind": "behind/1",
    "in": "in/1",
    "in_front_of": "in/1 front/1 of/1",
    "next_to": "next/1 to/1",
}
DIRECTIONS = {"to": "to", "from": "from"}

TIMES = {
    "now": "now/1",
    "today": "today/1",
    "yesterday": "yesterday/1",
    "tomorrow": "tomorrow/1",
    "soon": "soon/1",
    "last_week": "last/1 week/2",
    "next_week": "next/1 week/2",
    "monday": "on/1 Monday/2",
    "friday": "on/1 Friday/2",
    "morning": "in/1 the/2 morning/3",
    "evening": "in/1 the/2 evening/3",
    "often": "often/1",
    "always": "always/1",
    "every_day": "every/1 day/2",
    "sometimes": "sometimes/1",
    "rarely": "rarely/1",
}
BEFORE_VERB = frozenset(("often", "always", "sometimes", "rarely"))
