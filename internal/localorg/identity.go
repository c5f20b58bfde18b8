package localorg

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// identity is what the org tells about one of its users.
type identity struct {
	Username, First, Last, Email, Alias string
	Active                              bool
}

// person reads a user; the zero identity when there is none.
func (o *Org) person(user []byte) identity {
	o.mu.RLock()
	defer o.mu.RUnlock()
	id, ok := parseID(user)
	t, ord, found := o.locate(id)
	if !ok || !found || t.obj.Name != "User" {
		return identity{}
	}
	text := func(name string) string {
		f := t.obj.field(name)
		if f == nil {
			return ""
		}
		return string(o.value(t, ord, t.record(ord), f))
	}
	return identity{Username: text("Username"), First: text("FirstName"), Last: text("LastName"), Email: text("Email"), Alias: text("Alias"), Active: text("IsActive") == "true"}
}

// endpoints are the addresses that an identity lists; {version} stands in them as the org sends it.
func endpoints(base string, user []byte) map[string]string {
	org, _ := parseID([]byte(orgID))
	rest := base + "/services/data/v{version}/"
	return map[string]string{
		"enterprise": base + "/services/Soap/c/{version}/" + org.short(), "partner": base + "/services/Soap/u/{version}/" + org.short(),
		"metadata": base + "/services/Soap/m/{version}/" + org.short(), "rest": rest, "sobjects": rest + "sobjects/", "search": rest + "search/",
		"query": rest + "query/", "recent": rest + "recent/", "tooling_rest": rest + "tooling/", "profile": base + "/" + string(user),
		"custom_domain": base,
	}
}

// userInfo answers /services/oauth2/userinfo.
func (o *Org) userInfo(w http.ResponseWriter, r *http.Request) error {
	user, err := o.authorize(r)
	if err != nil {
		return &apiError{status: 403, Code: "INVALID_SESSION_ID", Message: "Bad_OAuth_Token"} // (1 source: clients' tests)
	}
	org, _ := parseID([]byte(orgID))
	p := o.person(user)
	return writeJSON(w, map[string]any{
		"sub": identityURL(baseURL(r), user), "user_id": string(user), "organization_id": org.String(), "preferred_username": p.Username,
		"nickname": p.Alias, "name": p.First + " " + p.Last, "given_name": p.First, "family_name": p.Last, "email": p.Email, "email_verified": true,
		"active": p.Active, "user_type": "STANDARD", "language": "en_US", "locale": "en_US", "utcOffset": 0, "zoneinfo": "UTC",
		"urls": endpoints(baseURL(r), user), "is_app_installed": true,
	})
}

// serveIdentity answers /id/ORG/USER, the address in the id of a token answer.
func (o *Org) serveIdentity(w http.ResponseWriter, r *http.Request, orgText, userText string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return refuse(405, "METHOD_NOT_ALLOWED", "HTTP Method '%s' not allowed. Allowed are GET,POST", r.Method)
	}
	user, err := o.authorize(r)
	if err != nil {
		return &apiError{status: 403, Code: "INVALID_SESSION_ID", Message: "Bad_OAuth_Token"}
	}
	org, _ := parseID([]byte(orgID))
	asked, ok := parseID([]byte(orgText))
	who, ok2 := parseID([]byte(userText))
	if !ok || !ok2 || asked != org || who.String() != string(user) {
		return errNotFound
	}
	p := o.person(user)
	return writeJSON(w, map[string]any{
		"id": identityURL(baseURL(r), user), "asserted_user": true, "user_id": string(user), "organization_id": org.String(), "username": p.Username,
		"nick_name": p.Alias, "display_name": fmt.Sprintf("%s %s", p.First, p.Last), "first_name": p.First, "last_name": p.Last, "email": p.Email,
		"email_verified": true, "active": p.Active, "user_type": "STANDARD", "language": "en_US", "locale": "en_US", "utcOffset": 0,
		"urls": endpoints(baseURL(r), user), "is_app_installed": true,
	})
}

func writeJSON(w http.ResponseWriter, body any) error {
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	return json.NewEncoder(w).Encode(body)
}
