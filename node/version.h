#pragma once
/* What this build calls itself: `baton version`, web3_clientVersion, the p2p handshake. */
#define BATON_VERSION_TEXT   "0.1.0"
#define BATON_CLIENT_VERSION "baton/v" BATON_VERSION_TEXT "/linux-amd64/c17"
/* Nodes of different protocol versions refuse each other (part of the p2p chain digest). */
#define BATON_PROTOCOL_VERSION 1
