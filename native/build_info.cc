#include "build_info.h"

const char gmr_build[] = GMR_BUILD;
