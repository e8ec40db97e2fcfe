#include "core/remote/transport/sse.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace finback {
namespace {

using Events = std::vector<std::pair<std::string, std::string>>;  // event, data

void Drain(SseParser* parser, Events* events) {
  std::string_view event, data;
  while (parser->Next(&event, &data)) events->emplace_back(event, data);
}

Events Parse(const std::vector<std::string_view>& pieces) {
  SseParser parser;
  Events events;
  for (const std::string_view piece : pieces) {
    parser.Push(piece);
    Drain(&parser, &events);
  }
  return events;
}

Events ParseByByte(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t i = 0; i < text.size(); ++i) pieces.push_back(text.substr(i, 1));
  return Parse(pieces);
}

std::string WithLineEnds(const std::string& text, const std::string& line_end) {
  std::string changed;
  for (const char c : text) {
    if (c == '\n') {
      changed += line_end;
    } else {
      changed += c;
    }
  }
  return changed;
}

// Everything that is allowed in a stream; U+20AC and U+1F600 so that splits fall inside them.
const char kTricky[] =
    ": keep-alive\n"
    "\n"
    "data: {\"a\":1}\n"
    "\n"
    "event: message_start\n"
    "data:no space\n"
    "\n"
    "data:  two spaces\n"
    "data: second: line\n"
    "data\n"
    "data:\n"
    "event: joined\n"
    "data: \xE2\x82\xAC \xF0\x9F\x98\x80\n"
    "\n"
    "id: 7\n"
    "retry: 100\n"
    "dat: x\n"
    "data2: x\n"
    "unknown\n"
    "\n"
    "event: without data\n"
    "\n"
    ":\n"
    "data: after\n"
    ": amid\n"
    "\n"
    "event\n"
    "data:\n"
    "\n"
    "event: first\n"
    "event: last\n"
    "data: [DONE]\n"
    "\n"
    "data: unfinished\n";
const Events kTrickyEvents = {
    {"", "{\"a\":1}"},
    {"message_start", "no space"},
    {"joined", " two spaces\nsecond: line\n\n\n\xE2\x82\xAC \xF0\x9F\x98\x80"},
    {"", "after"},
    {"", ""},
    {"last", "[DONE]"},
};

TEST(SseTest, EveryLineEndAndByteOrderMarkGivesTheSameEventsAtEverySplit) {
  for (const char* line_end : {"\n", "\r\n", "\r"}) {
    for (const char* mark : {"", "\xEF\xBB\xBF"}) {
      const std::string text = mark + WithLineEnds(kTricky, line_end);
      SCOPED_TRACE(testing::PrintToString(line_end) + testing::PrintToString(mark));
      EXPECT_EQ(Parse({text}), kTrickyEvents);
      EXPECT_EQ(ParseByByte(text), kTrickyEvents);
      const std::string_view view = text;
      for (size_t first = 0; first <= text.size(); ++first) {
        ASSERT_EQ(Parse({view.substr(0, first), view.substr(first)}), kTrickyEvents) << first;
      }
      // Three pieces: around every line end and inside every field name.
      for (size_t first = 0; first + 3 <= text.size(); ++first) {
        for (size_t second = first; second <= first + 3; ++second) {
          ASSERT_EQ(Parse({view.substr(0, first), view.substr(first, second - first),
                           view.substr(second)}),
                    kTrickyEvents)
              << first << " " << second;
        }
      }
    }
  }
}

TEST(SseTest, MixedLineEndsInOneStream) {
  EXPECT_EQ(ParseByByte("data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r\n"),
            (Events{{"", "a\nb\nc"}, {"", "d"}}));
  // CR LF CR is two line ends, and LF CR is two as well.
  EXPECT_EQ(ParseByByte("data: a\r\n\rdata: b\n\rdata: c\r\r"),
            (Events{{"", "a"}, {"", "b"}, {"", "c"}}));
}

TEST(SseTest, EventIsGivenAtTheBareCarriageReturnThatEndsIt) {
  SseParser parser;
  Events events;
  parser.Push("data: a\r\r");
  Drain(&parser, &events);
  EXPECT_EQ(events.size(), 1u);
  parser.Push("\ndata: b\r\n\r\n");
  Drain(&parser, &events);
  EXPECT_EQ(events, (Events{{"", "a"}, {"", "b"}}));
}

TEST(SseTest, EventNameDoesNotReachTheNextEvent) {
  EXPECT_EQ(ParseByByte("event: a\ndata: 1\n\ndata: 2\n\n"), (Events{{"a", "1"}, {"", "2"}}));
  EXPECT_EQ(ParseByByte("event: a\n\ndata: 2\n\n"), (Events{{"", "2"}}));
}

TEST(SseTest, CommentsAreCountedAndGiveNoEvent) {
  SseParser parser;
  Events events;
  parser.Push(": keep-alive\n\n: OPENROUTER PROCESSING\r\n\r\n:\n:half");
  Drain(&parser, &events);
  EXPECT_TRUE(events.empty());
  EXPECT_EQ(parser.comments(), 3u);
  parser.Push(" a comment\n");
  Drain(&parser, &events);
  EXPECT_EQ(parser.comments(), 4u);
}

TEST(SseTest, ByteOrderMarkCountsOnlyAtTheStart) {
  EXPECT_EQ(ParseByByte("data: 1\n\n\xEF\xBB\xBF"
                        "data: 2\n\ndata: 3\n\n"),
            (Events{{"", "1"}, {"", "3"}}));
  EXPECT_EQ(ParseByByte("\xEF\xBB"
                        "data: 1\n\ndata: 2\n\n"),
            (Events{{"", "2"}}));
  EXPECT_EQ(Parse({"\xEF\xBB\xBF\xEF\xBB\xBF"
                   "data: 1\n\ndata: 2\n\n"}),
            (Events{{"", "2"}}));
}

TEST(SseTest, ViewsStayValidUntilTheNextCall) {
  SseParser parser;
  parser.Push("event: e\ndata: 1\ndata: 2\n\ndata: 3\n\n");
  std::string_view event, data;
  ASSERT_TRUE(parser.Next(&event, &data));
  EXPECT_EQ(event, "e");
  EXPECT_EQ(data, "1\n2");
  ASSERT_TRUE(parser.Next(&event, &data));
  EXPECT_EQ(event, "");
  EXPECT_EQ(data, "3");
  EXPECT_FALSE(parser.Next(&event, &data));
}

TEST(SseTest, NulAndOtherBytesPassThrough) {
  const std::string data("a\0b\x01\xFF\x80", 6);
  EXPECT_EQ(ParseByByte("data: " + data + "\n\n"), (Events{{"", data}}));
}

TEST(SseTest, EventOfTheGreatestSizeIsTakenAndOneByteMoreIsRefused) {
  constexpr size_t kMax = SseParser::kMaxEventBytes;
  const std::string_view prefix = "data: ";
  // The last line's end does not count.
  std::string text(prefix);
  text.append(kMax - prefix.size() - 1, 'x');
  SseParser fits;
  fits.Push("data: small\n\n" + text);
  fits.Push("\n\n");
  std::string_view event, data;
  ASSERT_TRUE(fits.Next(&event, &data));
  ASSERT_TRUE(fits.Next(&event, &data));
  EXPECT_EQ(data.size(), kMax - prefix.size() - 1);

  const std::vector<std::string> too_large = {
      text + "xx",                                  // no line end in sight
      text + "xx\n\n",                              // whole
      ": " + std::string(kMax, 'x'),                // a comment
      "data: a\n" + text + "\n\n",                  // the sum of lines
      "event: " + std::string(kMax, 'x') + "\n\n",  // the name
  };
  for (size_t i = 0; i < too_large.size(); ++i) {
    SCOPED_TRACE(i);
    SseParser parser;
    parser.Push(too_large[i]);
    for (int again = 0; again < 2; ++again) {
      try {
        parser.Next(&event, &data);
        FAIL() << "was taken";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), Code::kIo);
      }
    }
  }
}

TEST(SseTest, StreamMayBeLongerThanOneEventMayBe) {
  SseParser parser;
  const std::string comment = ": " + std::string((1u << 20) - 3, 'x') + "\n";
  std::string_view event, data;
  for (int i = 0; i < 20; ++i) {
    parser.Push(comment);
    EXPECT_FALSE(parser.Next(&event, &data));
    parser.Push("id: 1\n");
    EXPECT_FALSE(parser.Next(&event, &data));
  }
  EXPECT_EQ(parser.comments(), 20u);
}

// Work is counted, not timed: bytes searched or moved, for each byte that was pushed.
struct Load {
  const char* name;
  std::string text;
  size_t piece;
  size_t events;
};

std::vector<Load> Loads() {
  const auto repeated = [](const std::string& text, size_t count) {
    std::string all;
    for (size_t i = 0; i < count; ++i) all += text;
    return all;
  };
  const std::string token = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n";
  const std::string large = "data: " + repeated("x", 1 << 20) + "\n\n";
  const std::string lines = repeated("data: line\n", 100'000) + "\n";
  return {
      {"tokens byte by byte", repeated(token, 2000), 1, 2000},
      {"tokens in large pieces", repeated(token, 20'000), 1 << 20, 20'000},
      {"CR alone in large pieces", WithLineEnds(repeated(token, 20'000), "\r"), 1 << 20, 20'000},
      {"CRLF in large pieces", WithLineEnds(repeated(token, 20'000), "\r\n"), 1 << 20, 20'000},
      {"one large event byte by byte", large, 1, 1},
      {"one event of many lines", lines, 1000, 1},
      {"tokens before a large event", repeated(token + large, 3), 777, 6},
      {"comments", repeated(": keep-alive\n\n", 20'000), 5, 0},
  };
}

TEST(SseTest, WorkIsLinearInTheBytesHoweverTheyAreCut) {
  for (const Load& load : Loads()) {
    SCOPED_TRACE(load.name);
    SseParser parser;
    size_t events = 0;
    std::string_view event, data;
    for (size_t at = 0; at < load.text.size(); at += load.piece) {
      parser.Push(std::string_view(load.text).substr(at, load.piece));
      while (parser.Next(&event, &data)) ++events;
    }
    EXPECT_EQ(events, load.events);
    // Copied in, searched for both line ends, moved once at most.
    EXPECT_LE(parser.work_bytes(), 4 * load.text.size());
  }
}

}  // namespace
}  // namespace finback
