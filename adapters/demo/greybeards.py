"""The community `greybeards`: invented old Unix hands, dry as a punch card, who have seen every outage since the seventies."""

LEXICON = {
    "mate": "Ingrid|Walt|Dmitri|Hollis|Maud|Enzo|Sigrid|Barney",
    "year": "1974|1978|1983|1987|1989|1991|1993",
    "box": "PDP-11|VAX|SPARCstation|teletype|VT100|mainframe|tape robot|modem",
    "tool2": "awk|sed|ed|cron|grep|troff|tar|uucp|dd|csh|lint|fsck|telnet",
    "dir": "/dev/null|/tmp|/etc|/usr/local|/var/spool|/lost+found",
    "fault": "segfaults|dumps core|leaks memory|forks twice|runs out of inodes|blocks on I/O|deadlocks|panics",
    "state": "zombie|daemon|orphan process|symlink|dangling pointer|race condition|kernel module|cron job",
    "sys": "kernel|scheduler|crontab|swap partition|filesystem|spooler|shell|linker",
    "sig": "SIGKILL|SIGHUP|SIGTERM|kill -9|chmod 000|nice 19|sync",
    "ending": ":vt100:|:punchcard:|:coredump:|:vt100:|:coredump:|:punchcard:||||",
    "uptime": "400 days|9 years|4012 days|since {year}|three architectures",
}
"""Slots of this voice."""

ANY = (
    "[In {year} we|On the {box} we|We] ran [the|that] {T} from [a crontab|{tool2}|a shell script] and [never looked back|slept well].",
    "[Redirect|Pipe|Send|Mount] [that|your] {T} [to|on] {dir} [and sleep well|and call it done|as root].",
    "man {T}. [See section 8|People never read the manual|Then read on].",
    "[That|Your] {T} {fault} [under load|after fork()|when the disk is full]. [Known since {year}|Works on my {box}|Use {tool2}].",
    "[My|The] {box} has no {T} and an uptime of {uptime}. [Coincidence|Think about it].",
    "A {T} is only a {state} with [better marketing|worse documentation|a graphical interface].",
    "[Try|Have you tried|Did you try] {sig} on [that|the] {T}? [Twice|As root|Worked in {year}].",
    "[chown root the|strace the|grep the logs for that] {T} and [never speak of it|wait for the {sys}|reboot the {box}].",
    "Your {T} [needs|is missing] a newline at end of file. [They all do|Ask {mate} for one|So did the {box}].",
    "[We|{mate}] once restored a {T} from tape, [block by block|with {tool2}|on a {box}]. [Kids today|Good times|The tape survived].",
)
"""Replies to anything that is about `{T}`."""

REPLIES: dict[str, tuple[str, ...]] = {
    "greet": (
        "[login|Password]: [_|accepted]. [Last login on a {box}|You have new mail|Load average 0.02].",
        "[Uptime {uptime}|Still mounted|No core dumps today], [thanks for the ping|0% packet loss|load is low].",
        "[ACK|SYN, ACK|EHLO]. [Keep it under 80 columns|State your terminal type|The {sys} is listening].",
    ),
    "weekend": (
        "[Compiled a kernel|Rewound tapes|Swept the crontab], [that took two days|as in {year}|zero warnings].",
        "[Replaced {tool2} with {tool2}|Read the {tool2} manual aloud|Fixed a {state}], then [replaced it back|slept(8)|waited for fsck].",
        "[Rebooted the {box}|Cleaned the {box} with a brush]. [First time since {year}|That box sulks|Uptime is zero now].",
    ),
    "plans": (
        "[fsck, then bed|Backups, then more backups|A quiet fsck], [cron knows|it is in the crontab|as every {day} since {year}].",
        "[Nothing that cron can not do|I am batch scheduled|at(1) decides], [the {box} comes first|ask the {sys}].",
        "[Porting {tool2} to the {box}|Reading RFCs|Winding tape], [bring a terminal|root only|bring a serial cable].",
    ),
    "joke": (
        "There are 10 kinds of [sysadmins|processes]: [those who read the manual|daemons] and [those who restore from tape|zombies].",
        "A {state} walks into {dir}. [The {sys} never noticed|Permission denied|Segmentation fault].",
        "[{mate}|A junior] typed rm -rf [as root|on the {box}|in {dir}]. [That is the joke|We still laugh, on tape|In {year}].",
    ),
    "help": (
        "[RTFM|man it first|Read the source]. [Then pipe it through {tool2}|Section 8 covers it|Failing that, {sig}].",
        "[One line of {tool2}|A pipe and {tool2}|Eight lines of {tool2}] for that, [as in {year}|zero dependencies|so ask {mate}].",
        "[Log in as root|su, then|Attach a debugger], [trace the {sys}|run {tool2}], [pray|and log out|and never tell {mate}].",
    ),
    "opinion": (
        "[Wrong: no man page|Too many dependencies|Bloat]. [{tool2} did it in 4 kilobytes|The {box} had none|Peaked in {year}].",
        "[I prefer plain text|I prefer {tool2}|Fine, if it reads from stdin], [as all do|since {year}|like the {box}].",
        "My favourite is {tool2}, [then and now|it never {fault}|version 7, {year}].",
    ),
    "mishap": (
        "[Restore from tape|Check the logs|Look in /lost+found]. You [have backups|read the logs|ran sync], [surely|as I would]?",
        "[Exit status 1|Segmentation fault|Kernel panic]. [Works on my {box}|Blame the {sys}|It was a {state} all along].",
    ),
    "boast": (
        "[Does it run {tool2}|Is it POSIX|Does it boot from tape]? [Then no|If not, return it|The {box} did, in {year}].",
        "[Impressive|Adequate]. [Now write the man page|Now port it to the {box}|Check it into RCS].",
    ),
    "advice": (
        "[Never on a Friday|Not without backups|Only as root]. [{mate} learned that in {year}|The {sys} remembers|Dump to tape first].",
        "[Choose the one with a man page|Choose plain text|Choose {tool2}], [the rest is bloat|the rest {fault}].",
    ),
    "why": (
        "[Legacy|Backward compatibility|An off-by-one error] from {year}. [Up to you to patch|Deep in the {sys}|Ask {mate} about it].",
        "[A {state}|An unsigned integer|The {sys}] [overflowed|{fault}] in {year}. [Wontfix|Documented as a feature|The rest is folklore].",
        "[Read the source|See errno|The manual says undefined]. [Must be a {state}|The {sys} decides|42, in octal].",
    ),
    "who": (
        "uid 0, [home directory /root|shell /bin/ed], [uptime {uptime}|born on a {box}|no graphical interface].",
        "[A daemon|A getty process|whoami says root], [spawned in {year}|reparented to init|reading from stdin].",
    ),
    "feel": (
        "[Swap to disk|Flush your buffers up to the head|Renice yourself]. [That helped the {box}|The {sys} knows|Uptime matters].",
        "[Your stack overflowed|You need a core dump|High load average]. [sleep(8)|Go idle like a {state}|Try {sig}].",
    ),
    "thanks": (
        "[Exit status 0|EOF|No carrier]. [Log it in {dir}|Send patches|Next process].",
        "[Noted in the changelog|Committed to RCS|Acknowledged by the {sys}], [line 80|in octal|since {year}].",
    ),
    "bye": (
        "[logout|Connection closed|No carrier]. [Mind the daemons|The {box} stays up|Run sync first].",
        "[nohup yourself|Ctrl-D|kill -HUP]. [The {sys} reaps you|See you at the next fsck|sync; sync; sync].",
    ),
    "football": (
        "The {sys} decides [who wins|the score]; [nice 19 is all you get|it is round robin|first in, first out].",
        "[I only watch syslog|I only follow {tool2}|Is that a protocol], [two processes, one ball, a deadlock|port 22|since {year}].",
    ),
    "computers": (
        "[ed is the standard editor|:q! and leave|Ctrl-C, then {sig}]. [The rest is bloat|The {box} agrees|Pipe it to {dir}].",
        "[Check the inodes|Read dmesg|It is always DNS|strace it]. [{tool2} fixed it in {year}|Then the {sys}|Then the cable].",
        "[{tool2}, a pipe and patience|A Makefile from {year}|Plain sh]. [Without a framework|Without a reboot|Works on the {box}].",
    ),
    "odd": (
        "[Syntax error|Command not found|Bad file descriptor|Parse error near line 1]. [Ask man|RTFM|Core dumped].",
        "[Not a typewriter|Permission denied|Broken pipe|No such file or directory]. [Ask root|Redirect it to {dir}|See errno].",
        "[Undefined behaviour|A {state}|Sounds like {mate}'s Makefile]. [That {fault}|Seen in {year}|Run {tool2} on it].",
    ),
}
"""Act → replies that this community rewards."""

OPENERS = (
    "[Anyone|Does anybody] still [run|have|own] a {box}? [Mine hums again|Asking for {mate}|I found one in the cellar]",
    "[Found|Debugged|Traced] a {state} in the {sys} [today|after six hours|on the {box}]",
    "[Patch|Release|RFC draft] [is out|is up for review]: https://tapes.example/{tool2}/{number}",
    "{mate} [deleted|chmodded|overwrote] {dir} [on the {box}|again|with {tool2}], [restoring now|anyone has a tape|send coffee]",
    "[Nobody|Who here] [understands|documents|remembers] the {sys} [any more|since {year}|on the {box}]?",
)
"""What only this community starts a conversation with; answered as computers."""
