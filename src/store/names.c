/* names.c - see names.h. The lists are ours. */
#include "store/names.h"

#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#include "base/mem.h"
#include "base/str.h"

static const char *const adjectives[] = {
        "able",     "agile",  "alert",  "amber",  "ample",    "apt",      "ardent",  "artful", "astute", "aware",
        "balmy",    "blithe", "bold",   "brave",  "breezy",   "bright",   "brisk",   "calm",   "candid", "careful",
        "cheerful", "clear",  "clever", "cosmic", "crisp",    "curious",  "daring",  "deft",   "direct", "eager",
        "earnest",  "easy",   "elated", "fair",   "fearless", "fine",     "fluent",  "fond",   "frank",  "free",
        "fresh",    "gentle", "gifted", "glad",   "golden",   "graceful", "grand",   "happy",  "hardy",  "hearty",
        "honest",   "humble", "ideal",  "jolly",  "joyful",   "keen",     "kind",    "lively", "lucid",  "lucky",
        "lunar",    "mellow", "merry",  "mild",   "modest",   "neat",     "nimble",  "noble",  "open",   "patient",
        "placid",   "plucky", "polite", "proud",  "quick",    "quiet",    "radiant", "rapid",  "ready",  "rosy",
        "rustic",   "serene", "sharp",  "silent", "silver",   "sincere",  "sleek",   "smart",  "snug",   "solar",
        "sound",    "steady", "sturdy", "subtle", "sunny",    "tidy",     "true",    "vivid",  "warm",   "wise",
};

static const char *const surnames[] = {
        "abel",     "agnesi",     "aryabhata", "avicenna",   "banneker",   "bassi",     "bernoulli", "blackwell",
        "bohr",     "boole",      "bose",      "brahe",      "burnell",    "cantor",    "carson",    "cavendish",
        "cerf",     "chandra",    "church",    "copernicus", "cori",       "curie",     "darwin",    "dijkstra",
        "dirac",    "earhart",    "easley",    "edison",     "einstein",   "elion",     "erdos",     "euclid",
        "euler",    "faraday",    "fermat",    "fermi",      "feynman",    "fibonacci", "fourier",   "franklin",
        "galileo",  "galois",     "gauss",     "germain",    "goodall",    "hamilton",  "hawking",   "heisenberg",
        "herschel", "hertz",      "hilbert",   "hooke",      "hopper",     "hoover",    "huygens",   "hypatia",
        "jackson",  "jemison",    "jepsen",    "johnson",    "joliot",     "kepler",    "khayyam",   "kilby",
        "knuth",    "kowalevski", "lamarr",    "lamport",    "leavitt",    "leibniz",   "liskov",    "lovelace",
        "mach",     "maxwell",    "mayer",     "mccarthy",   "mcclintock", "meitner",   "mendel",    "mirzakhani",
        "napier",   "nash",       "newton",    "noether",    "ohm",        "pascal",    "pasteur",   "perlman",
        "planck",   "ramanujan",  "ride",      "ritchie",    "rubin",      "sagan",     "shannon",   "somerville",
        "tesla",    "thompson",   "turing",    "volta",
};

err *names_generate(bool digits, char **ret)
{
        uint32_t salt[3];
        const char *first, *second;
        char *name;

        if (getrandom(salt, sizeof(salt), 0) != (ssize_t)sizeof(salt))
                return err_sys(errno, "getting random numbers");
        first = adjectives[salt[0] % ARRAY_SIZE(adjectives)];
        second = surnames[salt[1] % ARRAY_SIZE(surnames)];
        name = digits ? str_format("%s_%s%u", first, second, salt[2] % 1000) : str_format("%s_%s", first, second);
        if (!name)
                return err_nomem();
        *ret = name;
        return NULL;
}
