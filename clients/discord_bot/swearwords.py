"""The words that the filter leaves out at its strictest, packed so that nobody has to read them who only reads this repository.

Swearing and what is sexual, in a few languages, as people write it; `adapters.slurs` has what demeans groups of people and packs it.
"""

from adapters.slurs import unpacked

_SWEARWORDS = (
    "eNpdVEuy2zgM3PMU72qwBIu0KFJFkHHZu5mpVDapyjmye6l8Z7LIwnMA+UbTAOX3UrNwd4MiiQ8BU6LoKDVxVGTwMQ9+V7dvg+eiBvsc+UVgp4inamQfOtv6OazsDiSV"
    "yvhgcQeOkRMWQsX1hthuHNLUxcUdYj6f8uHB2JAj4plVmNkGrgSaZ5rhpcUoPlQ30KHcPidwoegz+HoF+nZyQww1lyAQTSqXYxtmN+QdpCPWkOerfF3W4Iackiazs3Qh"
    "whC3T/BTmJY1wGyL/hY71BbUBKG11EHcyLxWXzIKNwYEoOCZxhchphTjmDuqsVqOY1tQTXkwqscnGlqkyi8q5OQ4QSIb49tHx4UH+3BUnwrcNfYcw0QAlOxppKe1obbH"
    "PBro11yv3BEntG4KPHYqO4nxkQY2EdJOk3H/ar2g4oxEJkrTAT83sYaBhRDDiocmcZ7SqA3gOVUKzocTIuMemc8lXRSRuxbEt8IGqaNk/1C3bz6xQ1FmrdgpXK/uZCnN"
    "IcanS264Ix7d3MqZ3HwRt6BPWzloLV+kpvBqoIALF9RGEbtCN0IarTJLEJn40Ep1i07Cg+BzydX3vvufIb9Z6iy1Cv+5TCTLTuJW4jGvPmDK1t9UGvmUldHZq8aSY/j3"
    "HaSIAV5JSa9dUTeD3HEqtGLWoAu5tWhXGOJgwwnujA1adAU8qZKuIz4Fk1mhUiKHC9lgVFSfSqhBCYu+plDM2NFJHP5aWOPcmVVETBCEvqtClzYcDyGmdvT5bMIeycTF"
    "yUxpdhJbNRBDXV+oVO0DqSWnK+2cXaWnqTGGxVW9uOp1CK9mxFRcPWNOFcS9oeORdJwy5BSQ8Ru8mvUuBEborJ4VcK6TGGt0Z3Qsd8RiGLxevn3aft4/bF/u7932Fcbz"
    "/U+Vv7Yf2/fty/bs7n/c/9r+UfEW4u//AEnWKVM="
)


def swearwords() -> tuple[str, ...]:
    """In small letters, in the forms that are written."""
    return unpacked(_SWEARWORDS)
