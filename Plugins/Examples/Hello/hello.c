#include "council.h"
