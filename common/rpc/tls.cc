#include "common/rpc/tls.h"

#include <fmt/format.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/base/files.h"

namespace inferon::rpc {
namespace {

namespace tls = grpc::experimental;
using std::filesystem::path;

constexpr std::size_t kMaxPemBytes = 1 << 20;

template <typename T, auto Free>
struct Freed {
  void operator()(T* object) const { Free(object); }
};
using Bio = std::unique_ptr<BIO, Freed<BIO, BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freed<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY, EVP_PKEY_free>>;

tl::unexpected<Error> Bad(const path& file, const std::string& what, const std::string& advice) {
  return Fail(ErrorCode::kFailedPrecondition, fmt::format("{} {}", file.string(), what), advice);
}

Result<Bio> Open(const path& file) {
  const Result<std::string> text = ReadFile(file, kMaxPemBytes);
  if (!text) return tl::unexpected(text.error());
  Bio bio(BIO_new(BIO_s_mem()));
  BIO_write(bio.get(), text->data(), static_cast<int>(text->size()));
  return bio;
}

Result<Certificate> ReadCertificate(const path& file, WallTime now) {
  const auto bio = Open(file);
  if (!bio) return tl::unexpected(bio.error());
  Certificate certificate(PEM_read_bio_X509(bio->get(), nullptr, nullptr, nullptr));
  if (!certificate) return Bad(file, "holds no certificate", "Give a PEM file");
  std::time_t time = std::chrono::system_clock::to_time_t(now);
  if (X509_cmp_time(X509_get0_notAfter(certificate.get()), &time) < 0) {
    return Bad(file, "has expired", "Make a new certificate; the server takes it up by itself");
  }
  if (X509_cmp_time(X509_get0_notBefore(certificate.get()), &time) > 0) {
    return Bad(file, "is not valid yet", "Check the clock of this machine");
  }
  return certificate;
}

Status CheckPair(const path& certificate_file, const path& key_file, WallTime now) {
  const auto certificate = ReadCertificate(certificate_file, now);
  if (!certificate) return tl::unexpected(certificate.error());
  const auto bio = Open(key_file);
  if (!bio) return tl::unexpected(bio.error());
  // No password is asked for: a server has nobody to ask.
  const auto nobody = [](char*, int, int, void*) { return 0; };
  const Key key(PEM_read_bio_PrivateKey(bio->get(), nullptr, nobody, nullptr));
  if (!key) return Bad(key_file, "holds no readable key", "Give a PEM file without a password");
  if (X509_check_private_key(certificate->get(), key.get()) == 1) return {};
  return Bad(key_file, "is not the key of " + certificate_file.string(), "Give a pair");
}

std::shared_ptr<tls::CertificateProviderInterface> Watch(const path& key, const path& certificate,
                                                         const path& ca,
                                                         std::chrono::seconds refresh) {
  return std::make_shared<tls::FileWatcherCertificateProvider>(
      key.string(), certificate.string(), ca.string(), static_cast<unsigned>(refresh.count()));
}

}  // namespace

bool IsLoopback(const std::string& address) {
  if (address.starts_with("unix:")) return true;
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "127.0.0.1" || host == "localhost" || host == "[::1]";
}

Status CheckServerTls(const ServerTls& server, WallTime now) {
  if (!server.used()) {
    if (server.key.empty() && server.client_ca.empty()) return {};
    return InvalidArgument("a key or a clients' CA is given without a certificate",
                           "Give --tls-cert and --tls-key");
  }
  if (server.key.empty()) {
    return InvalidArgument("a certificate is given without its key", "Give --tls-key");
  }
  if (Status ok = CheckPair(server.certificate, server.key, now); !ok) return ok;
  if (server.client_ca.empty()) return {};
  const auto ca = ReadCertificate(server.client_ca, now);
  return ca ? Status() : tl::unexpected(ca.error());
}

Status CheckClientSecurity(const ClientSecurity& client, const std::string& address, WallTime now) {
  if (!client.token_file.empty()) {
    const auto token = ReadFile(client.token_file, kMaxPemBytes);
    if (!token) return tl::unexpected(token.error());
  }
  if (client.certificate.empty() != client.key.empty()) {
    return InvalidArgument("of certificate and key only one is given", "Give --cert and --key");
  }
  if (client.ca.empty()) {
    if (IsLoopback(address) && client.certificate.empty()) return {};
    return InvalidArgument(
        fmt::format("{} is reached by TLS only, which needs the certificate of its CA", address),
        "Give --ca FILE, or set INFERON_CA");
  }
  if (const auto ca = ReadCertificate(client.ca, now); !ca) return tl::unexpected(ca.error());
  if (client.certificate.empty()) return {};
  return CheckPair(client.certificate, client.key, now);
}

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const ServerTls& server) {
  if (!server.used()) return grpc::InsecureServerCredentials();
  tls::TlsServerCredentialsOptions options(
      Watch(server.key, server.certificate, server.client_ca, server.refresh));
  options.watch_identity_key_cert_pairs();
  if (!server.client_ca.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return tls::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> MakeChannelCredentials(const ClientSecurity& client) {
  if (client.ca.empty()) return grpc::InsecureChannelCredentials();
  tls::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      Watch(client.key, client.certificate, client.ca, client.refresh));
  options.watch_root_certs();
  if (!client.certificate.empty()) options.watch_identity_key_cert_pairs();
  return tls::TlsCredentials(options);
}

}  // namespace inferon::rpc
