#include "build_info.h"

#include "commit.h"

const char gmr_build[] = GMR_COMMIT ", " GMR_COMPILERS;
