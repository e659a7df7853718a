#pragma once
#include <libelf.h>
