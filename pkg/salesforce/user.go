package salesforce

import (
	"context"
	"net/http"
)

// User is who a client works as.
type User struct {
	Username string // such as jo@acme.example
	UserID   string // 18 characters
	OrgID    string // 18 characters
}

// User asks the org who the token belongs to. Tokens whose app lacks the scope for it are refused with 403.
func (c *Client) User(ctx context.Context) (User, error) {
	var u struct {
		Username string `json:"preferred_username"`
		UserID   string `json:"user_id"`
		OrgID    string `json:"organization_id"`
	}
	err := c.JSON(ctx, http.MethodGet, "/services/oauth2/userinfo", Repeat, nil, &u)
	return User(u), err
}
