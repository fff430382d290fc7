#pragma once
/* What the publisher needs of the client beyond da.h. */
#include <stdatomic.h>

#include "da/da.h"

/* da_client_abort makes the request that is under way, and all later ones, end soon with
 * ERR_NETWORK. Any thread. */
void da_client_abort(struct da_client *client);
