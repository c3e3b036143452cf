// Everything: #include "sluice/sluice.h".
#pragma once

#include "sluice/chat.h"
#include "sluice/engine.h"
#include "sluice/error.h"
#include "sluice/sampling.h"
