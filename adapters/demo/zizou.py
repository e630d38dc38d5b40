"""The community `zizou`: invented friends who play five-a-side, watch every match and never stop teasing each other."""

LEXICON = {
    "mate": "Momo|Tariq|Jules|Bea|Nico|Lotte|Ravi|Olu",
    "who": "{mate}|our keeper|my grandma|a traffic cone|the linesman|the mascot",
    "ha": "hahaha|oof|mate|oh mate|lol|come on",
    "ending": ":redcard:|:panenka:|:nutmeg:|:topbins:|⚽|😂|⚽|😂||||",
    "skill": "rabona|panenka|nutmeg|backheel|stepover|tap-in|own goal|overhead kick|free kick|bicycle kick",
    "verdict": "straight red card|two yellow cards|ten match ban|subbed off at half time|VAR is still checking|offside by a mile|"
    "relegated already|benched until may|penalty and a booking",
    "spot": "top corner|row z|the crossbar|the car park|the stands|the other net",
    "part": "first touch|left foot|defending|finishing|dribbling|goal celebration|marking|tackling",
    "card": "red card|yellow card|penalty|free kick|corner|throw-in",
}
"""Slots of this voice."""

ANY = (
    "{ha} [that|your] {T} has [a better|the same|a worse] {part} [than|as] {mate}",
    "{ha} {verdict} for [that|your] {T}",
    "even {who} [scores past|dribbles past|nutmegs|outruns] [that|your] {T} [in flip-flops|on one leg|with a hangover|blindfolded]",
    "[your|that] {T} [hit|found|flew into] {spot} [again|as usual|like your last penalty]",
    "put [that|your] {T} [on the bench|in goal|on the wing|in midfield], [it tracks back|it defends|it runs] more than {mate}",
    "{mate} [missed|ballooned|fell over] that {T} from two metres [and blamed the pitch|and appealed for a penalty|last sunday]",
    "[transfer news|breaking|here we go]: [that|your] {T} joins {mate} [on loan|on the bench|for a bag of crisps]",
    "[that|your] {T} dives [more|better] than {mate} in the box",
    "{ha} I have seen [that|your] {T} defend a corner better than you [|lads]",
    "{card} for the {T}, and a [booking|lifetime ban] for {mate} [for complaining|for laughing]",
)
"""Replies to anything that is about `{T}`."""

REPLIES: dict[str, tuple[str, ...]] = {
    "greet": (
        "{ha} look who is [back from injury|off the bench|late for kick-off] [again|]",
        "[oi oi|ayyy|alright], the [captain|benchwarmer|striker|super sub] [is here|has arrived], [boots on|warm up|shin pads on]",
        "[all good|never better], {mate} scored [an own goal|a {skill}] and [still|] celebrates it",
    ),
    "weekend": (
        "[lost|won|drew] [5-4|7-1|3-3] at five-a-side, {mate} scored {card} number [two|three|nine]",
        "[watched|replayed] {mate} miss an open goal [in slow motion|for two days|forty times]",
        "[ninety minutes in goal|a hat-trick and a pie|two nutmegs on {mate}], [best match of my life|not even tired|to be repeated]",
    ),
    "plans": (
        "[five-a-side at eight|derby at the pub|shootout in the park], {mate} is [in goal|referee|injured], [pray for us|bring boots]",
        "[kick-off at eight|match first, pub later], and [no {skill} from|somebody stop] {mate} [this time|]",
        "[teaching {mate} the offside rule|watching the derby|training {skill}s], [bring snacks|again|season nine]",
    ),
    "joke": (
        "{ha} a joke? [{mate} taking a penalty|{mate}'s {part}|your {part}], [works every time|no {card} for it|tell it to the keeper]",
        "why does {mate} [carry|need] a {card}? [because the {part} never turned up|to remember sunday|nobody will say]",
        "knock knock. who is there? not {mate}, [he never tracks back|he is offside|he is still tying his boots]",
    ),
    "help": (
        "{ha} [tell {mate} to do it, then do it yourself|easy: eyes on the ball|two touches and shoot], [like a {skill}|like in training]",
        "[step one|first], [warm up|boots on|pass to me]. [step two|then], [blame it on the referee|blame {mate}|{skill} it into {spot}]",
        "with [your|that] {part}? [get a coach|start in the under-sevens|call the physio]",
    ),
    "opinion": (
        "[ten out of ten|four out of ten|world class|sunday league], still [beats|outplays|nutmegs] {mate}",
        "[decent {part}|weak {part}], [sell it in january|bench it|needs a proper striker]",
        "my favourite? {mate} [on the bench|missing a {card}|eating grass], [beautiful game|every sunday]",
    ),
    "mishap": (
        "{ha} [unlucky|classic|typical], [that is what you get for a {skill}|{mate} did the same with an open goal|walk it off]",
        "[physio on the pitch|stretcher please|magic sponge], our {T} is down [again|after a tackle from {mate}]",
    ),
    "boast": (
        "[goooal|what a strike|top bins], now [do it on a rainy tuesday|show {mate} how it is done|do not celebrate too early]",
        "{ha} [one good match|one {skill}] and [he wants a new contract|she thinks she is captain|already asking for the armband]",
    ),
    "advice": (
        "[shoot|pass it to me|sub it|play it safe], no need to [ask {mate}|dribble in your own box|trust a keeper with a {skill}]",
        "{ha} [you hesitate like {mate} at a penalty|just shoot|go for the {skill}], [top corner|what can go wrong|the keeper is asleep]",
    ),
    "why": (
        "because {mate} [kicked it into {spot}|lost the ball in midfield|was offside again], [everybody knows it|VAR will see]",
        "{ha} [VAR looked at it|the referee decided|it deflected off {mate}], [still a {card}|no goal|end of story]",
        "[no idea|go to the linesman|ask the coach], I only know [{skill}s|penalties|the league table]",
    ),
    "who": (
        "the one who [nutmegged {mate} twice|scored from the halfway line|plays left wing], [remember the name|number ten|legend]",
        "{ha} [number ten|captain here|super sub], [best {part} in the group|two goals this season|{mate} will never forget it]",
    ),
    "feel": (
        "[shake it off|chin high|no tears], [you still play better than {mate}|next match is sunday|even {mate} scored once]",
        "{ha} [so is our keeper|so is {mate} after ten minutes|play a match], [half time oranges help|run it off]",
    ),
    "thanks": (
        "{ha} [buy me a pint|pass me the ball next time|thank the referee]",
        "[assist of the season|teamwork|tap-in, honestly], now [stop diving|mark {mate}|back to training]",
    ),
    "bye": (
        "[full time|final whistle|off you go], [do not forget your shin pads|stretch your {part}|dream of penalties]",
        "{ha} [subbed off early|leaving before extra time|walking off the pitch], like {mate} [on sunday|last derby]",
    ),
    "football": (
        "[us|never us|whoever {mate} bets against], [3-0|2-1|4-3], and {mate} gets a {card}",
        "{ha} [the referee was wearing their scarf|VAR robbed us|our keeper was eating crisps], [never a penalty|still the better team]",
        "[best ever is me|grandma plays in goal better|that keeper has hands of butter], [{mate} will see|I said it all season]",
        "offside means {mate} is [in the pub before the ball|waiting by their goal|asleep up front], [every time|simple]",
    ),
    "computers": (
        "{ha} [I do not do tactics on a screen|sub it off and on], [{mate}'s {part} crashes more|talk to the goalkeeper]",
        "like [getting out of {mate}'s half|escaping my marking|taking a throw-in]: [just shoot|pass it|{skill} it out]",
    ),
    "odd": (
        "{ha} [offside|what formation is that|pass the ball], [even {mate} shoots straighter|VAR please|speak to the referee]",
        "[wild shot|that went into {spot}|great {skill}], [now in the right direction|other net though|try again]",
        "{ha} [sounds like {mate}|typical {mate}], [four yellow cards and no idea|all {skill} and no goal]",
    ),
}
"""Act → replies that this community laughs about."""

OPENERS = (
    "[who plays|five-a-side] on {day}? {mate} is [out|injured|hiding], we need a [keeper|striker|human]",
    "{mate} [skied|missed|saved|took] a {card} [yesterday|in the derby|to the stands] [and I have it on video|]",
    "[new boots|new ball|new keeper gloves] [arrived|are here], [fear me|no excuses now|{mate} is jealous]",
    "[match|derby|league] [table|report|tickets] [is out|are up]: https://league.example/round/{number}",
    "the {team} [sold|bought|benched] their [keeper|striker|coach], [thoughts|discuss|I am crying]",
)
"""What only this community starts a conversation with; answered as football."""
