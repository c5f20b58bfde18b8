package salesforce

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ParseSFDXURL reads a login in the form of the Salesforce CLI, force://CLIENT:SECRET:REFRESHTOKEN@HOST, where SECRET may be empty and
// HOST may have a port. The text may also be what "sf org display --verbose --json" or "sf org auth show-sfdx-auth-url --json" prints.
// The login holds its token in memory (HeldToken); give it a Store that lasts before its first use where the token may rotate. Errors
// never show the text.
func ParseSFDXURL(text string) (RefreshToken, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		var doc struct {
			URL    string `json:"sfdxAuthUrl"`
			Result struct {
				URL string `json:"sfdxAuthUrl"`
			} `json:"result"`
		}
		if json.Unmarshal([]byte(text), &doc) != nil {
			return RefreshToken{}, errors.New("the SFDX auth URL is in a JSON text that is damaged")
		}
		text = strings.TrimSpace(firstOf(doc.Result.URL, doc.URL))
	}
	if strings.Contains(text, "REDACTED") {
		return RefreshToken{}, errors.New("the SFDX auth URL was hidden by the Salesforce CLI; get it with sf org auth show-sfdx-auth-url --json")
	}
	rest, ok := strings.CutPrefix(text, "force://")
	at := strings.LastIndexByte(rest, '@')
	if !ok || at < 0 || strings.ContainsAny(rest, " \t\r\n") {
		return RefreshToken{}, errSFDXURL
	}
	parts := strings.Split(rest[:at], ":")
	host := strings.TrimSuffix(strings.TrimPrefix(rest[at+1:], "https://"), "/")
	if len(parts) != 3 || parts[0] == "" || parts[2] == "" || host == "" {
		return RefreshToken{}, errSFDXURL
	}
	login, err := baseURL("host of the SFDX auth URL", "https://"+host)
	if err != nil {
		return RefreshToken{}, fmt.Errorf("%w: %w", errSFDXURL, err)
	}
	return RefreshToken{LoginURL: login, ClientID: parts[0], ClientSecret: parts[1], Store: HoldToken(parts[2])}, nil
}

var errSFDXURL = errors.New("this is no SFDX auth URL; it looks like force://CLIENT:SECRET:REFRESHTOKEN@acme.my.salesforce.com")
