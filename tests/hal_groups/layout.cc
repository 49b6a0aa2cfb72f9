// The layout as a C++17 host sees it; host.c is the one in C99.
#include "layout.h"
