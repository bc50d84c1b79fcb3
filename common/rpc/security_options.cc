#include "common/rpc/security_options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>

namespace inferon::rpc {
namespace {

CLI::Option* AddFile(CLI::App& app, const std::string& name, std::filesystem::path& file,
                     const std::string& help, const char* variable = nullptr) {
  CLI::Option* option = app.add_option(name, file, help)->type_name("FILE")->group("Security");
  option->always_capture_default(false);
  if (variable != nullptr) option->envname(variable);
  return option;
}

void AddSeconds(CLI::App& app, const std::string& name, std::chrono::seconds& value,
                const std::string& help) {
  app.add_option_function<int>(
         name, [&value](int seconds) { value = std::chrono::seconds(seconds); }, help)
      ->check(CLI::Range(1, 86'400))
      ->default_str(std::to_string(value.count()))
      ->type_name("SECONDS")
      ->group("Security");
}

void AddRate(CLI::App& app, const std::string& name, double& value, const std::string& help) {
  app.add_option(name, value, help)
      ->check(CLI::Range(0.0, 1e9))
      ->capture_default_str()
      ->type_name("N")
      ->group("Security");
}

}  // namespace

void AddClientSecurityOptions(CLI::App& app, ClientSecurity& security) {
  AddFile(app, "--ca", security.ca, "Certificate of the servers' CA: they are reached by TLS",
          "INFERON_CA");
  AddFile(app, "--cert", security.certificate, "Own certificate, where a server asks for one",
          "INFERON_CERT");
  AddFile(app, "--key", security.key, "Its key", "INFERON_KEY");
  AddFile(app, "--token-file", security.token_file, "File with the own token, or $INFERON_TOKEN",
          "INFERON_TOKEN_FILE");
  const char* token = std::getenv("INFERON_TOKEN");
  if (token != nullptr) security.token = token;
}

void AddServerSecurityOptions(CLI::App& app, ServerTls& tls, GuardOptions& guard) {
  AddFile(app, "--tls-cert", tls.certificate, "Certificate of this server (PEM): it speaks TLS");
  AddFile(app, "--tls-key", tls.key, "Key of the certificate");
  AddFile(app, "--client-ca", tls.client_ca, "Ask clients for a certificate of this CA (mTLS)");
  AddSeconds(app, "--tls-refresh-seconds", tls.refresh,
             "Time between looks at these files: new ones need no restart");
  AddFile(app, "--tokens", guard.tokens,
          "File of tokens ('inferon token'): calls need one. Without it anyone may do everything");
  AddRate(app, "--max-calls-per-second", guard.max_calls_per_second,
          "Calls of one client, twice as many at once; 0: no limit");
  AddRate(app, "--max-refusals-per-second", guard.max_refusals_per_second,
          "Calls without a good token of one address; 0: no limit");
}

void AddObservationOptions(CLI::App& app, std::string& metrics, LogFormat& format) {
  app.add_option("--metrics", metrics,
                 "Serve Prometheus' metrics on this loopback address, 127.0.0.1:PORT")
      ->type_name("ADDRESS");
  AddLogFormat(app, format);
}

void AddLogFormat(CLI::App& app, LogFormat& format) {
  app.add_option_function<std::string>(
         "--log-format",
         [&format](const std::string& name) {
           format = name == "json" ? LogFormat::kJson : LogFormat::kText;
         },
         "text or json: one object a line")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_str("text");
}

}  // namespace inferon::rpc
