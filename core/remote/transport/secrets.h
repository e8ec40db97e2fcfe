// What must not be shown, and how it is kept out of every text that leaves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace finback {

// Keys, logins in addresses, bearer tokens and the key fragments that services echo ("****abcd",
// "sk-ab...wxyz") become "[redacted]". Of `secrets`, the ones in use, pieces of eight characters
// and more do, too, but for whole plain words in them.
std::string Redact(std::string_view text, const std::vector<std::string>& secrets = {});

// Adds a secret as it is and as other places spell it: percent-encoded, in base64, in JSON.
void AddSecret(std::string_view secret, std::vector<std::string>* secrets);

// Adds what of a proxy's address must not be shown: its password, its login as headers carry it,
// its query. A user's name alone may be any word: it goes where a login stands in an address.
void AddSecretsOfUrl(std::string_view url, std::vector<std::string>* secrets);
// Adds a header's value, with and without the word before it; of a Basic login the password.
void AddSecretsOfHeader(std::string_view value, std::vector<std::string>* secrets);

// An address without its login, query and fragment.
std::string PublicUrl(std::string_view url);

}  // namespace finback
