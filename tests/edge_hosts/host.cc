// The same source in the other language.
#include "host.c"
