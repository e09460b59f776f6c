"""What numbers in names look like: one anchored expression for items that begin with a digit, one for the others.

The expressions only say which *shape* an item has; what it means (is `384` a resolution or a hidden size?) is decided
from the rest of the name by the resolver.
"""

from __future__ import annotations

import re

_END = r"(?![^\W_])"
"""An item ends where neither letter nor digit follows."""

_DIGIT = re.compile(
    rf"""(?:
      (?P<experts_each>\d{{1,3}}x\d{{1,4}}(?:[._]\d{{1,3}})?[bm]|\d{{1,3}}(?:\.\d{{1,2}})?bx\d{{1,2}})(?=v\d|{_END})
    | (?P<learning_rate>\d(?:\.\d)?e-?0?\d){_END}
    | (?P<bpw>\d{{1,9}}(?:\.\d{{1,9}})?[-_]?bpw){_END}
    | (?P<bits>\d{{1,2}}(?:\.\d{{1,9}})?[-_]?bits?){_END}
    | (?P<rate>\d{{1,9}}(?:\.\d{{1,9}})?[-_]?k?hz){_END}
    | (?P<counter>\d{{1,9}}(?:\.\d{{1,9}})?[km]?[-_]?(?:steps?|epochs?|ep|iters?|iterations?|shots?|folds?)){_END}
    | (?P<amount>\d{{1,9}}(?:\.\d{{1,9}})?[km]?[-_]?
        (?:samples?|examples?|hours?|hrs?|utterances|pairs|sentences|tokens|images|gb|tb)){_END}
    | (?P<layers>\d{{1,3}}(?:[-_]?layers?|[-_]l(?![-_]\d{{1,2}}{_END})|l))(?=\d{{3}}|{_END})
    | (?P<labels>\d{{1,5}}[-_]?(?:class(?:es)?|labels?|way|classification|cls|stars?)){_END}
    | (?P<parameters>\d{{1,9}}(?:\.\d{{1,9}})?[bmt]|(?<![a-z])\d{{1,2}}_\d[bmt]|\d{{1,3}}b\d{{1,2}})
        (?=v\d|(?:bf|fp)(?:16|32|8){_END}|a\d{{1,3}}(?:\.\d{{1,2}})?b{_END}|{_END})
    | (?P<kilo>\d{{1,9}}(?:\.\d{{1,9}})?k)(?=to\d|{_END})
    | (?P<date>(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\g<1>(?:0[1-9]|[12]\d|3[01])){_END}
    | (?P<cardinality>\d{{2,3}}x\d{{1,3}}d){_END}
    | (?P<pair>\d{{2,4}}x\d{{2,4}}(?:x\d{{1,4}})?){_END}
    | (?P<span>\d{{1,4}}to\d{{1,4}}){_END}
    | (?P<pixels>\d{{2,4}}(?:px|p)){_END}
    | (?P<suffixed>\d{{1,4}}[abcdefghwsx]){_END}
    | (?P<dotted>\d{{1,9}}(?:\.\d{{1,9}}){{1,6}})(?=v\d|{_END}|[a-z])
    | (?P<integer>\d+)
    )""".replace(r"\g<1>", r"(?P=dash)").replace(r"([-_.]?)", r"(?P<dash>[-_.]?)"),
    re.VERBOSE | re.ASCII,
)

_COUNTERS = (
    "epochs?|ep|seed|run|ckpt|checkpoint|fold|bs|bsz|batch|lr|iter|iteration|hist|exp|experiment|trial|trained|"
    "idx|part|shard|wd|warmup|try|attempt|round|stage|phase|session|task|hw|assignment|e"
)
_LETTER = re.compile(
    rf"""(?:
      (?P<version>(?:v|(?<![0-9])v(?:[_.]|-(?=\d+\.\d))|(?:ver|version|rev|release)[-_.]?)\d{{1,8}}(?:\.\d{{1,8}}|_\d(?![\d.a-z])){{0,5}}(?:p\d?)?(?:rc\d+|alpha|beta|[a-f])?){_END}
    | (?P<active>(?<![0-9ac-z])a\d+(?:[._]\d+)?[bm]){_END}
    | (?P<effective>(?<![0-9a-z])e\d+(?:[._]\d+)?b){_END}
    | (?P<release>[a-z]\d{{1,2}}\.\d{{1,2}}){_END}
    | (?P<gguf>(?:i?q\d(?:_\d|_k(?:_(?:xxs|xs|s|m|l|xl|p))?|_(?:xxs|xs|s|m|l|nl))?|tq\d_\d|mxfp\d
        |q\d(?:[-_]?k[-_][sml]))){_END}
    | (?P<weights>w\d{{1,2}}a\d{{1,2}}(?:kv\d+)?){_END}
    | (?P<integers>u?int[-_]?(?:2|3|4|6|8|16)){_END}
    | (?P<group>(?:g|gs|group|groupsize|group[-_]size)[-_]?(?:32|64|128|256|1024)){_END}
    | (?P<llama>l(?:2|3|4)(?:\.\d)?){_END}
    | (?P<layers>(?:l[-_]?|(?:num[-_])?layers?[-_]?)\d{{1,3}}){_END}
    | (?P<hidden>(?:h[-_]?|hidden[-_]?(?:size[-_]?)?|dim[-_]?|d)\d{{2,5}}){_END}
    | (?P<heads>(?:a[-_]?|heads?[-_]?)\d{{1,3}}){_END}
    | (?P<patch>(?:patch|p)[-_]?\d{{1,3}}){_END}
    | (?P<window>(?:window|win)[-_]?\d{{1,3}}(?:to\d{{1,3}})?){_END}
    | (?P<context>(?:ctx|context|seq|seqlen|seq[-_]len|len|maxlen|max[-_]len(?:gth)?|max|tokens?)[-_]?\d+k?){_END}
    | (?P<steps>steps?[-_]?\d+k?(?!\.\d)){_END}
    | (?P<counter>(?:{_COUNTERS})[-_]?\d+(?:\.\d+)?(?:e-?\d+)?k?){_END}(?!\.\d)
    | (?P<scale>x\d{{1,2}}){_END}
    | (?P<lettered>[a-z]\d{{1,3}}[bkm]?){_END}(?!\.\d)
    | (?P<coded>[a-z]{{2}}\d{{1,3}}[km]?){_END}(?!\.\d)
    )""",
    re.VERBOSE | re.ASCII,
)
_LETTER_STARTS = frozenset("abcdefghijklmnopqrstuvwxyz")


def match(folded: str, start: int) -> tuple[str, int] | None:
    """Shape of the numeric item that begins at an offset.

    Args:
        folded: the folded name.
        start: an offset at which an item may begin.

    Returns:
        The shape's name and the offset behind it, or None when no shape begins there.
    """
    first = folded[start]
    if "0" <= first <= "9":
        found = _DIGIT.match(folded, start)
    elif first in _LETTER_STARTS:
        found = _LETTER.match(folded, start)
    else:
        return None
    if found is None or found.lastgroup is None:
        return None
    kind = found.lastgroup
    if kind == "dash":
        kind = "date"
    return kind, found.end()
