// GET /: the web page, one file that is part of the program.
#pragma once

#include "server/exchange.h"

namespace sluice::server {

HttpReply page();

}  // namespace sluice::server
