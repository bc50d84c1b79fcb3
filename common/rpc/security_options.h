// Options of the command line about security and observation, the same for every program. Paths
// only: a token never stands on a command line, where every user of the machine could read it.
#pragma once

#include <string>

#include "common/base/log.h"
#include "common/rpc/call_guard.h"
#include "common/rpc/client_security.h"
#include "common/rpc/tls.h"

namespace CLI {
class App;
}

namespace inferon::rpc {

// --ca, --cert, --key, --token-file, else $INFERON_CA and so on; the token also $INFERON_TOKEN.
void AddClientSecurityOptions(CLI::App& app, ClientSecurity& security);

// --tls-cert, --tls-key, --client-ca, --tokens, --max-calls-per-second, ...
void AddServerSecurityOptions(CLI::App& app, ServerTls& tls, GuardOptions& guard);

// --metrics, --log-format.
void AddObservationOptions(CLI::App& app, std::string& metrics, LogFormat& format);
void AddLogFormat(CLI::App& app, LogFormat& format);

}  // namespace inferon::rpc
