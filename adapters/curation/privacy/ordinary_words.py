"""Words that a display name may be without naming anybody when they stand in a sentence: `will`, `may`, `ghost`.

The 15,000 words that alt-profanity-check's classifier knows from 200,000 comments, English stop words and a little chat; without first
names, which those comments are full of too.
"""

from profanity_check import profanity_check

_CHAT = (
    "afk bae bot bots brb bro bruh bruv chad channel chill clown coffee cookie copium cope cringe dude emoji fam frfr gamer ggez glhf "
    "gif gifs goat haha hehe hahaha imo irl kek lad lads lmfao lolol meme memes meow mod mods muffin nah nerd noob noodle pog poggers "
    "potato pls plz raid rip rofl ruby sus server sheesh simp sir sis skibidi smh stream toast twitch vibe vibes waifu waffle whale "
    "xddd yall yeah yea yeet yep yikes yolo yup january february march april may june july august september october november december "
    "monday tuesday wednesday thursday friday saturday sunday user users assistant system anonymous deleted unknown member members "
    "guest guests admin everyone here"
)
_FIRST_NAMES = (
    "aaron abby abdul abigail adam adrian ahmed alan albert alejandro alex alexander alexandra alexis alfred ali alice alicia allison "
    "amanda amy ana andre andrea andreas andrew andy angela angelina anita ann anna anne annie anthony antonio ari arthur ashley "
    "audrey barbara barry beatrice becky ben benjamin bernard beth betty bill billy bob bobby brad bradley brandon brenda brendan "
    "brent brett brian bruce bryan caleb cameron carl carlos carol caroline catherine cathy cecilia charles charlie charlotte chloe "
    "chris christian christina christine christopher cindy claire clara clare claude clayton colin connor corey craig cynthia daisy "
    "dale damian damien dan dana daniel daniela danielle danny darren dave david dean debbie deborah denise dennis derek diana diane "
    "diego dmitri don donald donna dorothy doug douglas duncan dustin dylan ed eddie edgar edward edwin eileen elaine eleanor elena "
    "eli elias elijah elizabeth ella ellen elliot emil emily emma eric erica erik erika erin ernest ethan eugene eva evan evelyn "
    "felix fernando fiona florence francis francisco frank franz fred freddie frederick gabriel gabriela gary gavin geoffrey george "
    "gerald gina giovanni glenn gordon graham greg gregory guy hank hannah hans harold harriet harris harry hassan heather hector "
    "heidi helen henry herbert holly howard hugh hugo ian ibrahim igor ingrid isaac isabel isabella ivan jack jackie jackson jacob "
    "jake james jamie jan jane janet janice jason javier jay jean jeff jeffrey jen jenna jennifer jenny jeremy jerome jerry jesse "
    "jessica jill jim jimmy joan joanna joe joel joey johan johannes john johnny jon jonas jonathan jordan jorge jose joseph josh "
    "joshua juan judith judy julia julian julie justin karen karl kate katherine kathleen kathryn kathy katie keith kelly ken kenneth "
    "kenny kevin kim kimberly kirk kristen kurt kyle larry lars laura lauren laurie lawrence leah lee len lena leo leon leonard "
    "leonardo leslie lewis liam lily linda lisa lloyd logan lois lorenzo louis louise lucas lucia lucy luigi luis luke lynn maggie "
    "malcolm manuel marc marcel marco marcus margaret maria marie marilyn mario marion martha martin mary mason mateo matt matthew "
    "maurice max megan mehmet melanie melissa michael michelle miguel mike mikhail milan mitchell mohamed mohammed monica morgan "
    "muhammad nadia nancy naomi natalie natasha nathan nathaniel neil nicholas nick nicola nicolas nicole nigel nikita nina noah noel "
    "nora norman oleg oliver olivia omar oscar oskar otto owen pablo pamela pat patricia patrick paul paula pedro penny peter phil "
    "philip philippe phillip pierre rachel ralph ramon raphael ray raymond rebecca regina ricardo richard rick ricky rita rob robert "
    "roberta roberto rodney roger roland roman ron ronald ross roy russell ruth ryan sally sam samantha samuel sandra sandy santiago "
    "sara sarah scott sean sebastian sergei sergio seth shane shannon sharon shaun shawn sheila shirley simon sofia sonia sophia "
    "sophie stacy stan stanley stefan stella stephanie stephen steve steven stuart sue susan suzanne svetlana sylvia tamara tanya "
    "tara ted teresa terry thea theo theodore theresa thomas tiffany tim timothy tina tobias todd tom tommy tony tracy travis trevor "
    "tyler valentina valerie vanessa veronica vicky victor victoria vincent viktor vladimir walter wanda warren wayne wendy wesley "
    "william willie yasmin yolanda yuri yusuf yvonne zach zachary zack zoe"
)
# Among the first names those that are words first (mark, grace, will, jack in the box) are left out on purpose.


def ordinary_words() -> frozenset[str]:
    """In small letters."""
    comments = profanity_check.vectorizer
    return frozenset((*comments.vocabulary_, *comments.get_stop_words(), *_CHAT.split())) - frozenset(_FIRST_NAMES.split())
