#include "common/tables/table_reader.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <fstream>

#include "common/base/files.h"
#include "common/tables/npy_writer.h"
#include "tests/fuzz/mutate.h"

namespace inferon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TableReaderTest : public testing::Test {
 protected:
  std::filesystem::path Path(const std::string& name) { return folder_.path() / name; }
  std::filesystem::path Write(const std::string& name, const std::string& content) {
    WriteFileAtomically(Path(name), content);
    return Path(name);
  }
  std::string Refusal(const std::string& content) {
    const auto table = ReadTable(Write("file", content), 1000);
    return table ? "accepted" : table.error().Text();
  }
  static std::string Npy(const std::string& header, const std::string& data, char version = 1) {
    std::string bytes("\x93NUMPY", 6);
    bytes += version;
    bytes += '\0';
    bytes += static_cast<char>(header.size() & 0xFF);
    bytes += static_cast<char>(header.size() >> 8);
    if (version > 1) bytes += std::string(2, '\0');
    return bytes + header + data;
  }
  static std::string Doubles(const std::vector<double>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(double)};
  }
  static constexpr const char* kTwoByTwo =
      "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }\n";

  const TemporaryFolder folder_;
};

TEST_F(TableReaderTest, CsvWithAndWithoutHeader) {
  const auto named =
      ReadTable(Write("a.csv", "\xEF\xBB\xBF a , \"b\"\r\n# note\r\n1,2.5\r\n\r\n-3e2,+4\r\n"), 10);
  ASSERT_TRUE(named) << named.error().Text();
  EXPECT_THAT(named->names, ElementsAre("a", "b"));
  EXPECT_THAT(named->values, ElementsAre(1, 2.5, -300, 4));
  const auto plain = ReadTable(Write("b.csv", "1,nan\n,inf"), 10);
  ASSERT_TRUE(plain) << plain.error().Text();
  EXPECT_TRUE(plain->names.empty());
  EXPECT_EQ(plain->rows, 2u);
  EXPECT_TRUE(std::isnan(plain->values[1]) && std::isnan(plain->values[2]));
  EXPECT_TRUE(std::isinf(plain->values[3]));
}

TEST_F(TableReaderTest, CsvRefusalsNameTheirPlace) {
  EXPECT_THAT(Refusal(""), HasSubstr("holds no row"));
  EXPECT_THAT(Refusal("# only a note\n"), HasSubstr("holds no row"));
  EXPECT_THAT(Refusal("a,b\n1,2\n3\n"), HasSubstr("line 3 of"));
  EXPECT_THAT(Refusal("1,2\n3,x\n"), HasSubstr("'x' in line 2, column 2"));
  EXPECT_THAT(Refusal("1,2\n3,4;5\n"), HasSubstr("'4;5' in line 2"));
  EXPECT_THAT(Refusal(std::string(kMaxCsvLine + 1, '1')), HasSubstr("longer than"));
  EXPECT_THAT(ReadTable(Path("absent"), 1).error().message, HasSubstr("cannot read"));
  EXPECT_THAT(ReadTable(folder_.path(), 1).error().message, HasSubstr("is a folder"));
  const auto limited = ReadTable(Write("c.csv", "1\n2\n3\n"), 2);
  ASSERT_FALSE(limited);
  EXPECT_THAT(limited.error().message, HasSubstr("more than 2 rows"));
  EXPECT_TRUE(ReadTable(Write("c.csv", "1\n2\n3\n"), 3));
}

TEST_F(TableReaderTest, BlocksTogetherAreTheTable) {
  NpyWriter writer(Path("a.npy"), "<f4", {3});
  for (float i = 0; i < 50; ++i) writer.Append<float>(std::array<float, 3>{i, -i, i / 2}, 1);
  writer.Close();
  auto reader = OpenTable(Path("a.npy"));
  ASSERT_TRUE(reader) << reader.error().Text();
  EXPECT_EQ((*reader)->rows(), 50u);
  EXPECT_EQ((*reader)->columns(), 3u);
  std::vector<double> block, all;
  for (;;) {
    const auto rows = (*reader)->Read(7, &block);
    ASSERT_TRUE(rows);
    if (*rows == 0) break;
    all.insert(all.end(), block.begin(), block.end());
  }
  ASSERT_EQ(all.size(), 150u);
  EXPECT_EQ(all[3 * 49 + 1], -49);
  EXPECT_EQ(all[3 * 49 + 2], 24.5);
}

TEST_F(TableReaderTest, NpyOfOneAxisIsAColumnOrARow) {
  const std::string file =
      Npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n", Doubles({1, 2, 3}));
  EXPECT_EQ(ReadTable(Write("a.npy", file), 10)->rows, 3u);
  EXPECT_EQ(ReadTable(Write("a.npy", file), 10, /*row=*/true)->columns, 3u);
  const auto second = ReadTable(Write("b.npy", Npy(kTwoByTwo, Doubles({1, 2, 3, 4}), 2)), 10);
  ASSERT_TRUE(second) << second.error().Text();
  EXPECT_THAT(second->values, ElementsAre(1, 2, 3, 4));
}

TEST_F(TableReaderTest, NpyRefusalsSayWhatToDo) {
  const std::string data = Doubles({1, 2, 3, 4});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string header = kTwoByTwo;
    header.replace(header.find(from), from.size(), to);
    return Refusal(Npy(header, data));
  };
  EXPECT_EQ(Refusal(Npy(kTwoByTwo, data)), "accepted");
  EXPECT_THAT(with("<f8", "<i8"), HasSubstr("astype('<f8')"));
  EXPECT_THAT(with("<f8", ">f8"), HasSubstr("type '>f8'"));
  EXPECT_THAT(with("False", "True"), HasSubstr("ascontiguousarray"));
  EXPECT_THAT(with("(2, 2)", "(2, 2, 1)"), HasSubstr("3 axes"));
  EXPECT_THAT(with("(2, 2)", "(0, 2)"), HasSubstr("is empty"));
  EXPECT_THAT(with("(2, 2)", "(2, 3)"), HasSubstr("32 bytes of data, its shape needs 48"));
  EXPECT_THAT(with("(2, 2)", "(2, 1000001)"), HasSubstr("at most"));
  EXPECT_THAT(with("(2, 2)", "(2, -2)"), HasSubstr("damaged NPY header"));
  EXPECT_THAT(with("'shape'", "'scape'"), HasSubstr("damaged NPY header"));
  EXPECT_THAT(Refusal(Npy(kTwoByTwo, data, 4)), HasSubstr("damaged NPY header"));
  EXPECT_THAT(Refusal(Npy(kTwoByTwo, data).substr(0, 30)), HasSubstr("damaged NPY header"));
}

TEST_F(TableReaderTest, MutatedFilesAreRefusedOrConsistent) {
  int refused = 0;
  for (const std::string& valid :
       {Npy(kTwoByTwo, Doubles({1, 2, 3, 4})), std::string("a,b\n1,2\n-3.5,4e-7\n")}) {
    fuzz::ForEachMutation(valid, 3000, [&](const std::string& bytes) {
      std::ofstream(Path("file"), std::ios::binary) << bytes;  // Without a sync each time.
      const auto table = ReadTable(Path("file"), 1000);
      if (!table) {
        ++refused;
        EXPECT_FALSE(table.error().message.empty());
        return;
      }
      ASSERT_EQ(table->values.size(), table->rows * table->columns);
    });
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace inferon
