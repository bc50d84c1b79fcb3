#include "common/rpc/tls.h"

#include <fmt/format.h>
#include <grpcpp/security/server_credentials.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "common/access/token_file.h"
#include "common/base/files.h"
#include "common/rpc/status.h"
#include "tests/paths.h"
#include "tests/rpc/probe_service.h"

namespace inferon::rpc {
namespace {

using grpc::StatusCode;

// A CA of its own in a folder.
class Authority {
 public:
  explicit Authority(std::filesystem::path folder) : folder_(std::move(folder)) { Make("ca"); }
  void Server(const std::string& name) const { Make("server", name); }
  void Client(const std::string& name) const { Make("client", name); }
  std::filesystem::path File(const std::string& name) const { return folder_ / name; }

 private:
  void Make(const std::string& what, const std::string& name = "") const {
    const std::string command = fmt::format("'{}/deploy/certs/make-certs.sh' {} '{}' {}",
                                            INFERON_SOURCE_DIR, what, folder_.string(), name);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }

  const std::filesystem::path folder_;
};

class TlsTest : public ::testing::Test {
 protected:
  TlsTest() : ours_(folder_.path() / "ours") { ours_.Server("server"); }

  ServerTls Tls() const {
    return {.certificate = ours_.File("server.crt"),
            .key = ours_.File("server.key"),
            .refresh = std::chrono::seconds(1)};
  }
  ClientSecurity Client() const { return {.ca = ours_.File("ca.crt")}; }

  void Start(const ServerTls& tls) {
    auto server = StartServer({.tls = tls}, {&service_});
    ASSERT_TRUE(server) << server.error().Text();
    server_ = std::move(*server);
  }

  // The first handshake has time enough, also on a busy machine.
  void ExpectServed(const ClientSecurity& security) {
    const auto status = AskProbe(server_.address, security).status;
    EXPECT_TRUE(status.ok()) << status.error_message();
  }
  Error Refused(const ClientSecurity& security) {
    const grpc::Status status = AskProbe(server_.address, security).status;
    EXPECT_EQ(status.error_code(), StatusCode::UNAVAILABLE) << status.error_message();
    return FromStatus(status, "server");
  }

  TemporaryFolder folder_;
  const Authority ours_;
  CallGuard guard_;
  ProbeService service_{guard_};
  Server server_;
};

TEST_F(TlsTest, AClientThatKnowsTheCaIsServed) {
  Start(Tls());
  ExpectServed(Client());
}

TEST_F(TlsTest, AClientWithoutTlsIsToldWhatToDo) {
  Start(Tls());
  EXPECT_NE(Refused({}).advice.find("--ca"), std::string::npos);
}

TEST_F(TlsTest, AServerOfAnotherCaIsNotBelieved) {
  const Authority other(folder_.path() / "other");
  Start(Tls());
  EXPECT_NE(Refused({.ca = other.File("ca.crt")}).advice.find("--ca"), std::string::npos);
}

TEST_F(TlsTest, AServerUnderAnotherNameIsNotBelieved) {
  // The certificate does not name 127.0.0.2.
  auto server = StartServer({.address = "127.0.0.2:0", .tls = Tls(), .tokens = true}, {&service_});
  ASSERT_TRUE(server) << server.error().Text();
  server_ = std::move(*server);
  Refused(Client());
}

TEST_F(TlsTest, WithAClientsCaOnlyItsClientsAreServed) {
  const Authority other(folder_.path() / "other");
  ours_.Client("alice");
  other.Client("eve");
  ServerTls tls = Tls();
  tls.client_ca = ours_.File("ca.crt");
  Start(tls);
  ClientSecurity alice = Client();
  alice.certificate = ours_.File("alice.crt");
  alice.key = ours_.File("alice.key");
  ExpectServed(alice);
  EXPECT_NE(Refused(Client()).advice.find("--cert"), std::string::npos);
  ClientSecurity eve = Client();
  eve.certificate = other.File("eve.crt");
  eve.key = other.File("eve.key");
  Refused(eve);
}

TEST_F(TlsTest, ANewCertificateIsTakenUpWithoutARestart) {
  Start(Tls());
  const Authority next(folder_.path() / "next");
  next.Server("server");
  for (const char* name : {"server.crt", "server.key"}) {
    std::filesystem::rename(next.File(name), ours_.File(name));
  }
  const ClientSecurity client{.ca = next.File("ca.crt")};
  bool served = false;
  for (int i = 0; i < 300 && !served; ++i) {
    served = AskProbe(server_.address, client).status.ok();
    if (!served) SystemClock().SleepFor(std::chrono::milliseconds(100), {});
  }
  EXPECT_TRUE(served);
  Refused(Client());
}

TEST_F(TlsTest, FilesThatDoNotFitAreRefusedAtTheStart) {
  const WallTime now = SystemClock().WallNow();
  ours_.Server("second");
  WriteFileAtomically(ours_.File("empty"), "");
  struct Case {
    const char* certificate;
    const char* key;
    const char* says;
  };
  for (const Case& c : {Case{"none.crt", "server.key", "none.crt"},
                        {"server.crt", "none.key", "none.key"},
                        {"empty", "server.key", "no certificate"},
                        {"server.crt", "empty", "no readable key"},
                        {"server.crt", "second.key", "is not the key of"}}) {
    const Status ok =
        CheckServerTls({.certificate = ours_.File(c.certificate), .key = ours_.File(c.key)}, now);
    ASSERT_FALSE(ok) << c.says;
    EXPECT_NE(ok.error().message.find(c.says), std::string::npos) << ok.error().message;
    EXPECT_FALSE(ok.error().advice.empty());
  }
  EXPECT_TRUE(CheckServerTls(Tls(), now));
  EXPECT_NE(
      CheckServerTls(Tls(), now + std::chrono::hours(24 * 400)).error().message.find("has expired"),
      std::string::npos);
  EXPECT_FALSE(CheckServerTls(Tls(), now - std::chrono::hours(24)));
  EXPECT_FALSE(CheckServerTls({.key = ours_.File("server.key")}, now));
  EXPECT_FALSE(CheckServerTls({.certificate = ours_.File("server.crt")}, now));
}

TEST_F(TlsTest, OtherAddressesThanTheLoopbackNeedTlsAndTokens) {
  EXPECT_FALSE(StartServer({.address = "0.0.0.0:0"}, {&service_}));
  EXPECT_FALSE(StartServer({.address = "0.0.0.0:0", .tls = Tls()}, {&service_}));
  const auto plain = StartServer({.address = "0.0.0.0:0", .tokens = true}, {&service_});
  ASSERT_FALSE(plain);
  EXPECT_EQ(plain.error().code, ErrorCode::kInvalidArgument);
  EXPECT_NE(plain.error().message.find("no TLS"), std::string::npos);
  EXPECT_TRUE(StartServer({.address = "0.0.0.0:0", .tls = Tls(), .tokens = true}, {&service_}));
}

TEST_F(TlsTest, AClientOfAnotherMachineNeedsACa) {
  const WallTime now = SystemClock().WallNow();
  EXPECT_TRUE(CheckClientSecurity({}, "127.0.0.1:7001", now));
  EXPECT_TRUE(CheckClientSecurity({}, "unix:/run/inferon", now));
  EXPECT_FALSE(CheckClientSecurity({}, "scheduler:7001", now));
  EXPECT_FALSE(CheckClientSecurity({.token = "x"}, "192.168.1.5:7001", now));
  EXPECT_TRUE(CheckClientSecurity(Client(), "scheduler:7001", now));
  EXPECT_FALSE(CheckClientSecurity({.ca = ours_.File("none")}, "scheduler:7001", now));
  EXPECT_FALSE(CheckClientSecurity({.token_file = ours_.File("none")}, "127.0.0.1:7001", now));
  ClientSecurity half = Client();
  half.certificate = ours_.File("server.crt");
  EXPECT_FALSE(CheckClientSecurity(half, "scheduler:7001", now));
}

TEST_F(TlsTest, ATokenNeverLeavesTheMachineWithoutTls) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.2:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service_);
  const auto server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  EXPECT_TRUE(AskProbe(fmt::format("127.0.0.2:{}", port), {.token = "secret"}).status.ok());
  EXPECT_EQ(service_.authorization, "");
  Start({});
  EXPECT_TRUE(AskProbe(server_.address, {.token = "secret"}).status.ok());
  EXPECT_EQ(service_.authorization, "Bearer secret");
}

}  // namespace
}  // namespace inferon::rpc
