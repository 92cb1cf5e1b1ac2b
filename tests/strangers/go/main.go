// Google's Go client of Drive, as a program for the tests: one verb a run, its result as JSON on standard output.
//
//	client list [DRIVE]            every file of the account (or of a shared drive), page by page
//	client download ID             the bytes of a file
//	client export ID MIME-TYPE     a document in another format
//	client upload NAME CHUNK       standard input as a new file, in chunks of so many bytes
//	client replace ID CHUNK        standard input as new content of a file
//	client changes TOKEN           the ids of what has changed since that token, and the next token
//	client start-token             the token of now
//	client delete ID               delete a file for good
//	client rename ID NAME          another name
//
// The address and an access token are in DRIVE_ENDPOINT and DRIVE_TOKEN.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/oauth2"
	"google.golang.org/api/drive/v3"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

const fileFields = "id, name, mimeType, size, sha256Checksum, parents, driveId, modifiedTime"

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		var refused *googleapi.Error
		if errors.As(err, &refused) && len(refused.Errors) > 0 {
			fmt.Fprintf(os.Stderr, "%d %s\n", refused.Code, refused.Errors[0].Reason)
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, words []string) error {
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: os.Getenv("DRIVE_TOKEN")})
	service, err := drive.NewService(
		ctx, option.WithEndpoint(os.Getenv("DRIVE_ENDPOINT")), option.WithTokenSource(source),
	)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("a verb is missing")
	}
	verb, rest := words[0], append(words[1:], "", "")
	switch verb {
	case "list":
		return list(ctx, service, rest[0])
	case "download":
		answer, err := service.Files.Get(rest[0]).SupportsAllDrives(true).Context(ctx).Download()
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "export":
		answer, err := service.Files.Export(rest[0], rest[1]).Context(ctx).Download()
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "upload", "replace":
		return upload(ctx, service, verb, rest[0], rest[1])
	case "changes":
		return changes(ctx, service, rest[0])
	case "start-token":
		token, err := service.Changes.GetStartPageToken().SupportsAllDrives(true).Context(ctx).Do()
		if err != nil {
			return err
		}
		return show(token.StartPageToken)
	case "rename":
		file, err := service.Files.Update(rest[0], &drive.File{Name: rest[1]}).Fields(fileFields).
			SupportsAllDrives(true).Context(ctx).Do()
		if err != nil {
			return err
		}
		return show(file)
	case "delete":
		return service.Files.Delete(rest[0]).SupportsAllDrives(true).Context(ctx).Do()
	}
	return fmt.Errorf("no such verb: %s", verb)
}

func list(ctx context.Context, service *drive.Service, driveID string) error {
	call := service.Files.List().PageSize(50).Fields("nextPageToken", "files("+fileFields+")").
		Q("trashed = false").SupportsAllDrives(true).IncludeItemsFromAllDrives(true)
	if driveID != "" {
		call = call.Corpora("drive").DriveId(driveID)
	}
	found := []*drive.File{}
	err := call.Pages(ctx, func(page *drive.FileList) error {
		found = append(found, page.Files...)
		return nil
	})
	if err != nil {
		return err
	}
	return show(found)
}

func upload(ctx context.Context, service *drive.Service, verb, target, chunk string) error {
	size, err := strconv.Atoi(chunk)
	if err != nil {
		return err
	}
	inChunks := googleapi.ChunkSize(size)
	plain := googleapi.ContentType("application/octet-stream")
	var made *drive.File
	if verb == "upload" {
		made, err = service.Files.Create(&drive.File{Name: target}).Media(os.Stdin, inChunks, plain).
			Fields(fileFields).SupportsAllDrives(true).Context(ctx).Do()
	} else {
		made, err = service.Files.Update(target, &drive.File{}).Media(os.Stdin, inChunks, plain).
			Fields(fileFields).SupportsAllDrives(true).Context(ctx).Do()
	}
	if err != nil {
		return err
	}
	return show(made)
}

func changes(ctx context.Context, service *drive.Service, token string) error {
	told := map[string]bool{}
	for {
		page, err := service.Changes.List(token).SupportsAllDrives(true).IncludeItemsFromAllDrives(true).
			PageSize(2).Context(ctx).Do()
		if err != nil {
			return err
		}
		for _, change := range page.Changes {
			told[change.FileId] = change.Removed
		}
		if page.NextPageToken == "" {
			return show(map[string]any{"removed": told, "next": page.NewStartPageToken})
		}
		token = page.NextPageToken
	}
}

func show(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}
